import type { Plant } from "../plant.ts";

/** Bugs between the rooms and their devices. */
export const BRIDGING: readonly Plant[] = [
  {
    name: "the broker is acknowledged before the commit",
    promise: "The bridge acknowledges to the broker only what is stored",
    edits: [{
      file: "mqtt-bridge/inbound.ts",
      find: "      message = readMessage(delivery.payload, delivery.properties);\n",
      replace: "      message = readMessage(delivery.payload, delivery.properties);\n" +
        "      delivery.acknowledge();\n",
    }],
    scenario: "bridge-killed",
    expected: ["answered"],
  },
  {
    name: "the lease is ignored",
    promise: "Of several bridges one works at a time",
    edits: [
      {
        file: "mqtt-bridge/lease.ts",
        find: "if (term !== undefined) return hold(options, { name, holder, term }, askedAt);",
        replace: "return hold(options, { name, holder, term: term ?? 0 }, askedAt);",
      },
      {
        file: "mqtt-bridge/lease.ts",
        find: `    else lose("another bridge has it");\n    return ours;`,
        replace: "    return true;",
      },
      {
        file: "mqtt-bridge/lease.ts",
        find: `expiry = setTimeout(() => lose("it could not be renewed in time")`,
        replace: `expiry = setTimeout(() => {}`,
      },
      {
        file: "mqtt-bridge/bridge_session.ts",
        find: "clientId: `confab-bridge-${this.o.shard ?? 0}`",
        replace: "clientId: `confab-bridge-${this.lease.holder}`",
      },
      {
        file: "mqtt-bridge/outbound.ts",
        find: "return this.o.onDeposed();",
        replace: "return;",
      },
    ],
    scenario: "two-bridges",
    expected: ["order"],
  },
  {
    name: "the cursor moves before the broker has it",
    promise: "An entry counts as delivered when the broker has acknowledged it",
    edits: [{
      file: "mqtt-bridge/room_delivery.ts",
      find: "await Promise.all(await this.#publishAll(room, entries, cameAt));",
      replace: "await this.#publishAll(room, entries, cameAt);",
    }],
    scenario: "broker-link",
    expected: ["device feed"],
  },
];
