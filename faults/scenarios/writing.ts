import type { Stage } from "../stage.ts";
import type { Scenario } from "../scenario.ts";

/** Two members on two nodes, who have everything so far. */
async function twoTalkers(stage: Stage) {
  const [bob, cy] = await Promise.all([stage.member("bob"), stage.member("cy")]);
  const one = stage.socket(bob, stage.node(1));
  const two = stage.socket(cy, stage.node(2));
  await stage.caughtUp(one, two);
  return { bob, cy, one, two };
}

/** Somebody is removed while their messages wait for the room's lock behind the removal. */
export const removedSender: Scenario = {
  name: "removed-sender",
  what: "Members are removed while their sends wait for the lock of the room",
  nodes: 2,
  bridges: 0,
  least: { acks: { rest: 6 }, deliveries: 10 },
  async play(stage) {
    for (const name of ["bob", "cy", "dan"]) {
      const account = await stage.member(name);
      const socket = stage.socket(account, stage.node(2));
      await stage.caughtUp(socket);
      const locked = stage.world.postgres.lockRoom(stage.room, 700);
      await stage.pause(150);
      const removal = stage.remove(account.id);
      await stage.pause(150);
      for (let i = 0; i < 5; i++) stage.say(socket);
      await Promise.all([locked, removal]);
      await stage.until("the sends are refused", () => socket.backlog === 0);
    }
  },
};

/** The database refuses one message of a batch. */
export const poison: Scenario = {
  name: "poison",
  what: "The database refuses one message among many that are committed together",
  nodes: 1,
  bridges: 0,
  least: { acks: { rest: 20 }, deliveries: 0 },
  async play(stage) {
    const { postgres } = stage.world;
    await postgres.query(`create function faults_poison() returns trigger language plpgsql as $$
      begin raise exception 'poison' using errcode = '23514'; end $$`);
    await postgres.query(`create trigger faults_poison before insert on entries
      for each row when (new.text = 'poison') execute function faults_poison()`);
    const locked = postgres.lockRoom(stage.room, 600);
    await stage.pause(150);
    const texts = Array.from({ length: 25 }, (_, i) => i === 13 ? "poison" : `message ${i}`);
    await Promise.all([locked, ...texts.map((text) => sendOnce(stage, text))]);
  },
};

/** One request, whose answer is final whatever it is; of the poison only the refusal is known. */
async function sendOnce(stage: Stage, text: string): Promise<void> {
  const clientId = crypto.randomUUID();
  const { owner, room, recorder } = stage;
  const what = { type: "send" as const, clientId, text };
  const record = text === "poison" ? undefined : recorder.write(owner.id, room, "rest", what);
  const path = `/v1/rooms/${room}/messages`;
  const token = await owner.token();
  const answer = await stage.api.request("POST", path, { token, body: { clientId, text } });
  if (record === undefined) {
    if (answer.code === "") throw new Error("The poison was accepted");
    return;
  }
  record.tries = 1;
  const at = stage.world.now();
  if (answer.code === "") record.acks.push({ at, seq: answer.body.message.seq, duplicate: false });
  else record.refusal = { at, code: answer.code };
}

/** The database is ended without a checkpoint while messages are acknowledged. */
export const databaseRestart: Scenario = {
  name: "database-restart",
  what: "The database is ended in immediate mode under load, three times",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 100 }, deliveries: 200 },
  async play(stage) {
    const { one, two } = await twoTalkers(stage);
    for (let round = 0; round < 3; round++) {
      const talking = stage.sayFor(900, 4, one, two);
      await stage.pause(850);
      await stage.world.postgres.restartImmediately();
      await talking;
      await stage.until("the sends are answered", () => one.backlog + two.backlog === 0);
    }
  },
};

/** Sends arrive, their answers do not, and they are sent again. */
export const lostAnswers: Scenario = {
  name: "lost-answers",
  what: "Clients' links carry only towards the nodes, and are cut then, again and again",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 100 }, deliveries: 200 },
  async play(stage) {
    const { one, two } = await twoTalkers(stage);
    const talking = stage.sayFor(4000, 10, one, two);
    const links = stage.world.links({ from: "clients" });
    for (let round = 0; round < 6; round++) {
      await stage.pause(350);
      for (const link of links) link.halfOpen("there");
      await stage.pause(150);
      for (const link of links) link.drop();
      for (const link of links) link.heal();
    }
    await talking;
  },
};

/** Messages are changed and deleted while others read, from the start and live. */
export const smallTalk: Scenario = {
  name: "small-talk",
  what: "Two people on two nodes talk, edit and delete, and connections to the database end",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 60 }, deliveries: 200 },
  async play(stage) {
    const { cy, one, two } = await twoTalkers(stage);
    for (let round = 0; round < 3; round++) {
      await stage.sayFor(500, 10, one, two);
      await stage.world.postgres.terminateBackends();
      await stage.until("the sends are answered", () => one.backlog + two.backlog === 0);
    }
    const sent = stage.recorder.writes.filter(({ actor, what }) =>
      actor === one.principal && what.type === "send"
    );
    sent.slice(0, 20).forEach(({ acks }, i) => {
      const what = { target: acks[0]!.seq, clientId: `change-${i}` };
      if (i % 2 === 0) one.write(stage.room, { type: "edit", text: `changed ${i}`, ...what });
      else one.write(stage.room, { type: "delete", ...what });
    });
    await stage.until("the changes are answered", () => one.backlog === 0);
    await stage.caughtUp(stage.socket(cy, stage.node(2), "cy-later"));
  },
};

/** A node is asked to leave while it works. */
export const politeLeave: Scenario = {
  name: "polite-leave",
  what: "A node is asked to leave under load, and started again",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 100 }, deliveries: 200 },
  async play(stage) {
    const { one, two } = await twoTalkers(stage);
    const talking = stage.sayFor(2500, 10, one, two);
    await stage.pause(500);
    await stage.node(2).end("SIGINT");
    await stage.node(2).start();
    await talking;
  },
};
