import type { Plant } from "../plant.ts";

/** Bugs on the way of an entry to people, and of the end of their access. */
export const SERVING: readonly Plant[] = [
  {
    name: "no beacon",
    promise: "What the bus lost comes anyway, also the last message before a silence",
    edits: [{ file: "routes/node.ts", find: "await hub.beacon();", replace: "" }],
    scenario: "bus-gap",
    expected: ["converged", "complete"],
  },
  {
    name: "a join reads before it subscribes",
    promise: "Nothing falls between what a join replays and what comes live",
    edits: [
      {
        file: "lib/realtime/hub.ts",
        find: "    place.feed.subscriptions.add(subscription);\n",
        replace: "",
      },
      {
        file: "lib/realtime/hub.ts",
        find: "      this.#begin(place, ",
        replace: "      place.feed.subscriptions.add(subscription);\n      this.#begin(place, ",
      },
    ],
    scenario: "joins-under-load",
    expected: ["order", "complete"],
  },
  {
    name: "gaps are not noticed",
    promise: "A node that missed an entry reads it from the store",
    edits: [{
      file: "lib/realtime/room_feed.ts",
      find: "void this.#fill();",
      replace: "{}",
    }],
    scenario: "bus-gap",
    expected: ["converged", "complete", "order"],
  },
  {
    name: "a node does not apply removals",
    promise: "A removed member receives nothing with a later seq",
    edits: [{
      file: "lib/realtime/subscription.ts",
      find: `if (event.principal.id === me) return { seq, code: "removed" };`,
      replace: "",
    }],
    scenario: "removed-reader",
    expected: ["removed"],
  },
  {
    name: "revocations do not reach other nodes",
    promise: "Logout ends everything within two seconds while the bus works",
    edits: [{
      file: "lib/bus/redis.ts",
      find: "if (!stop.signal.aborted) control.publisher.revocation(revocation);",
      replace: "",
    }],
    scenario: "signed-out",
    expected: ["revoked"],
  },
  {
    name: "clientIds are shown to everybody",
    promise: "A clientId is shown to its sender only",
    edits: [{
      file: "lib/chat/viewer.ts",
      find: `  if (event.message.sender.id === viewer) return entry;\n`,
      replace: "  return entry;\n",
    }],
    scenario: "small-talk",
    expected: ["content"],
  },
  {
    name: "whoever has gone stays online",
    promise: "Presence tells the truth within its bound",
    edits: [{
      file: "lib/realtime/node_presence.ts",
      find: "closed: (connection) => sessions.close(connection),",
      replace: "closed: () => {},",
    }],
    scenario: "gone-offline",
    expected: ["presence"],
  },
  {
    name: "leaving never ends",
    promise: "A node leaves politely within four seconds",
    edits: [{
      file: "main.ts",
      find: `log.info("Stopped");\n  Deno.exit(0);`,
      replace: `log.info("Stopped");\n  return await new Promise<never>(() => {});`,
    }],
    scenario: "polite-leave",
    expected: ["processes"],
  },
];
