import { wait } from "../clients/waiting.ts";
import { describeExit, endRecorded, type Fault, killAndStart, pauseAndResume } from "./fault.ts";

const LANE = "servers";

/** What happens to Redis and Mosquitto. */
export const SERVER_FAULTS: Fault[] = [
  {
    class: "redis-kill",
    lane: LANE,
    ms: [200, 1500],
    mendMs: 200,
    evidence: "exit by SIGKILL",
    inject: (scene, card) => killAndStart(scene, scene.world.redis, card, "redis-kill"),
  },
  {
    class: "redis-pause",
    lane: LANE,
    ms: [500, 3000],
    mendMs: 0,
    evidence: "state T in /proc",
    inject: (scene, card) => pauseAndResume(scene, scene.world.redis, card, "redis-pause"),
  },
  {
    class: "redis-restart",
    lane: LANE,
    ms: [0, 500],
    mendMs: 400,
    evidence: "exit after SIGTERM",
    async inject({ world }, { forMs, signal }) {
      const from = world.now();
      const exit = await endRecorded(world, world.redis, "SIGTERM");
      await wait(forMs, signal);
      await world.redis.start();
      if (exit === undefined) return [];
      const to = world.now();
      return [{ class: "redis-restart", target: "redis", from, to, evidence: describeExit(exit) }];
    },
  },
  {
    class: "mosquitto-kill",
    lane: LANE,
    ms: [200, 1500],
    mendMs: 200,
    evidence: "exit by SIGKILL",
    inject: (scene, card) => killAndStart(scene, scene.world.mosquitto, card, "mosquitto-kill"),
  },
];
