import type { Scenario } from "../scenario.ts";

/** A node misses what others publish. */
export const busGap: Scenario = {
  name: "bus-gap",
  what: "A node is cut off from the bus while the last messages before a silence are sent",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 10 }, deliveries: 20 },
  async play(stage) {
    const [bob, cy] = await Promise.all([stage.member("bob"), stage.member("cy")]);
    const writer = stage.socket(bob, stage.node(1));
    const reader = stage.socket(cy, stage.node(2));
    await stage.caughtUp(writer, reader);
    stage.link("web2", "redis").cut();
    await stage.pause(300);
    await stage.sayFor(300, 20, writer);
    await stage.until("the sends are answered", () => writer.backlog === 0);
    stage.link("web2", "redis").heal();
  },
};

/** Clients join all the time while entries come, and the database answers the node slowly. */
export const joinsUnderLoad: Scenario = {
  name: "joins-under-load",
  what: "Clients join a busy room again and again on a node whose database answers slowly",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 100 }, deliveries: 500 },
  async play(stage) {
    const names = ["bob", "cy", "dan", "eve"];
    const [bob, ...others] = await Promise.all(names.map((name) => stage.member(name)));
    const writer = stage.socket(bob!, stage.node(2));
    const [keeper, ...joiners] = others.map((one) => stage.socket(one, stage.node(1)));
    await stage.caughtUp(writer, keeper!, ...joiners);
    stage.link("web1", "postgres").delay(80, 20, stage.random);
    const talking = stage.sayFor(4500, 10, writer);
    for (let round = 0; round < 8; round++) {
      await stage.pause(500);
      for (const joiner of joiners) joiner.cut();
    }
    await talking;
  },
};

/** Somebody is removed on one node and listens on the other. */
export const removedReader: Scenario = {
  name: "removed-reader",
  what: "Members are removed through one node while they listen on the other",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 20 }, deliveries: 40 },
  async play(stage) {
    const names = ["bob", "cy", "dan"];
    const [bob, cy, dan] = await Promise.all(names.map((name) => stage.member(name)));
    const writer = stage.socket(bob!, stage.node(1));
    const readers = [stage.socket(cy!, stage.node(2)), stage.socket(dan!, stage.node(1))];
    await stage.caughtUp(writer, ...readers);
    const talking = stage.sayFor(1500, 20, writer);
    await stage.pause(400);
    await Promise.all([stage.remove(cy!.id, 1), stage.remove(dan!.id, 2)]);
    await talking;
  },
};

/** Somebody signs out on one node; the other cannot ask the database, but hears the bus. */
export const signedOut: Scenario = {
  name: "signed-out",
  what: "Somebody signs out on one node and listens on another that only hears the bus",
  nodes: 2,
  bridges: 0,
  least: { acks: { ws: 40 }, deliveries: 80 },
  async play(stage) {
    const [bob, cy] = await Promise.all([stage.member("bob"), stage.member("cy")]);
    const writer = stage.socket(bob, stage.node(1));
    const reader = stage.socket(cy, stage.node(2));
    await stage.caughtUp(writer, reader);
    const talking = stage.sayFor(4500, 50, writer);
    stage.link("web2", "postgres").blackHole();
    await stage.pause(400);
    await stage.logout(cy, reader);
    await talking;
  },
};

/** Somebody's last connection ends. */
export const goneOffline: Scenario = {
  name: "gone-offline",
  what: "Somebody goes for good, and the nodes are asked who is online until they know",
  nodes: 2,
  bridges: 0,
  env: { PRESENCE_LEASE_SECONDS: "3" },
  least: { acks: {}, deliveries: 0 },
  async play(stage) {
    const [bob, cy] = await Promise.all([stage.member("bob"), stage.member("cy")]);
    const stays = stage.socket(bob, stage.node(1));
    const goes = stage.socket(cy, stage.node(2));
    await stage.caughtUp(stays, goes);
    await stage.online([bob.id, cy.id], 10_000);
    await goes.stop();
    // One second of grace, and some for a busy machine
    await stage.online([bob.id], 8000);
  },
};
