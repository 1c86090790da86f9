import { describeExit, type Fault } from "./fault.ts";

const LANE = "servers";
/** A room is drawn from so many of the busiest. */
const BUSY_ROOMS = 4;

/** What only a database suffers. */
export const POSTGRES_FAULTS: Fault[] = [
  {
    class: "postgres-restart",
    lane: LANE,
    ms: [0, 0],
    mendMs: 800,
    evidence: "exit of the server in immediate mode, and a new process that answers",
    async inject({ world }) {
      const { pid } = world.postgres;
      const from = world.now();
      await world.postgres.restartImmediately();
      const to = world.now();
      const exit = world.exits.find((one) => one.name === "postgres" && one.pid === pid);
      if (exit?.told?.signal !== "SIGQUIT" || world.postgres.pid === pid) return [];
      const awayMs = Math.round(to - from);
      const evidence = `${describeExit(exit)}, away for ${awayMs} ms`;
      return [{ class: "postgres-restart", target: "postgres", from, to, evidence }];
    },
  },
  {
    class: "postgres-backends",
    lane: LANE,
    ms: [0, 0],
    mendMs: 300,
    evidence: "the number of terminated backends",
    async inject({ world }) {
      const from = world.now();
      const ended = await world.postgres.terminateBackends();
      const to = world.now();
      if (ended === 0) return [];
      const evidence = `${ended} backends terminated`;
      return [{ class: "postgres-backends", target: "postgres", from, to, evidence }];
    },
  },
  {
    class: "room-lock",
    lane: LANE,
    ms: [500, 2500],
    mendMs: 100,
    evidence: "the lock in pg_locks",
    async inject({ world }, { forMs, random }) {
      const rooms = await world.postgres.query<{ id: string }>(
        "select id from rooms order by head desc, id limit $1",
        [BUSY_ROOMS],
      );
      if (rooms.length === 0) return [];
      const { id } = random.pick(rooms);
      const from = world.now();
      const { locks, waiters } = await world.postgres.lockRoom(id, forMs);
      const to = world.now();
      if (locks === 0) return [];
      const evidence = `${locks} lock in pg_locks, up to ${waiters} backends waited for it`;
      return [{ class: "room-lock", target: `room ${id}`, from, to, evidence }];
    },
  },
];
