import type { Plant } from "../plant.ts";

/** Bugs in what devices measure, and in whether they are there. */
export const METERING: readonly Plant[] = [
  {
    name: "a batch that is tried again counts again",
    promise: "A reading that was stored counts once, also when the answer was lost",
    edits: [{
      file: "mqtt-bridge/reading_store.ts",
      find: "batch.number ??= ++this.#number;",
      replace: "batch.number = ++this.#number;",
    }],
    scenario: "readings-stored",
    expected: ["telemetry"],
  },
  {
    name: "an older session's last will counts",
    promise: "A last will that comes late ends nothing",
    edits: [{
      file: "lib/database/migrations/0006_device_presence.sql",
      find: "if coalesce(number < s.session_number, false)",
      replace: "if false",
    }],
    scenario: "late-will",
    expected: ["device presence"],
  },
  {
    name: "an alert stays on the list",
    promise: "A room is told once that a device is silent",
    edits: [{
      file: "lib/database/migrations/0006_device_presence.sql",
      find: "    delete from device_alerts x where x.id = a.id;\n  exception",
      replace: "    update device_alerts x set due_at = clock_timestamp() + interval '4 seconds' " +
        "where x.id = a.id;\n  exception",
    }],
    scenario: "silent-device",
    expected: ["silence"],
  },
];
