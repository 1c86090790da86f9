import type { Plant } from "../plant.ts";

const COMMANDS = "lib/database/migrations/0015_command_stays.sql";

/** Bugs of commands and of states. */
export const COMMANDING: readonly Plant[] = [
  {
    name: "an answer said again is stored again",
    promise: "The first answer to a command counts, and is stored once",
    edits: [
      {
        file: COMMANDS,
        find: "if c.status in ('done', 'failed') then",
        replace: "if false then",
      },
      {
        file: COMMANDS,
        find: "if c.status <> 'queued' or c.expires_at <= clock_timestamp() then\n" +
          "    outcome := 'command_settled'; return;\n  end if;\n  -- The device may",
        replace: "if c.status in ('expired', 'cancelled') then\n" +
          "    outcome := 'command_settled'; return;\n  end if;\n  -- The device may",
      },
    ],
    scenario: "repeated-answers",
    expected: ["commands"],
  },
  {
    name: "a wish for an older version is taken",
    promise: "A wish for a version that somebody saw never overwrites a newer one",
    edits: [{
      file: "lib/database/migrations/0007_device_states.sql",
      find: "if expected is not null and expected <> version then",
      replace: "if false then",
    }],
    scenario: "rival-wishes",
    expected: ["desired states"],
  },
  {
    name: "the broker does not keep desired states",
    promise: "The newest desired state is on its retained topic",
    edits: [{
      file: "mqtt-bridge/desired.ts",
      find: `payload ?? "", { retain: true })`,
      replace: `payload ?? "", {})`,
    }],
    scenario: "rival-wishes",
    expected: ["states kept"],
  },
];
