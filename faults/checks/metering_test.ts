import { assertEquals } from "@std/assert";
import { check } from "../checker.ts";
import type { FinalRoom, History } from "../history.ts";
import type { MeteringRecord, ReadingRecord } from "../history_metering.ts";
import { ROOM, sampleHistory } from "./sample_history.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const EPOCH_MS = 1_700_000_000_000;

type Sample = Omit<History, "metering"> & { metering: MeteringRecord };

/** A reading each second of the run, at the same second of the device's clock. */
function readings(values: number[]): ReadingRecord[] {
  return values.map((value, i) => {
    const sentAt = (i + 1) * 1000;
    return { at: EPOCH_MS + sentAt, value, sentAt, ackedAt: sentAt + 10 };
  });
}

/**
 * The device of the sample measures for twenty seconds, crosses a threshold twice, and then sleeps
 * for half a minute.
 */
function sample(): Sample {
  const history = structuredClone(sampleHistory()) as Sample;
  const values = Array.from({ length: 20 }, (_, i) => i % 10 < 5 ? 50 : 120 + i);
  const level = readings(values);
  const final = {
    latest: { value: values[19]!, at: level[19]!.at, count: 20 },
    points: [
      { at: EPOCH_MS, count: 9, min: 50, max: 128, last: 128 },
      { at: EPOCH_MS + 10_000, count: 10, min: 50, max: 138, last: 138 },
      { at: EPOCH_MS + 20_000, count: 1, min: 139, max: 139, last: 139 },
    ],
  };
  const place = { device: "device", room: ROOM, final };
  const above = { id: "full", kind: "above", threshold: 100, hysteresis: 20 } as const;
  history.metering = {
    meters: [{
      ...{ device: "device", rooms: [ROOM], lateWills: [900] },
      births: [{ at: 500, session: 2 }],
      heard: [500, ...level.map(({ ackedAt }) => ackedAt!), 50_000, 55_000],
      expectation: { seconds: 10, from: 500, to: 58_000 },
      sleeps: [{ from: 20_500, to: 50_000 }],
      awaited: { silent: 1, back: 1 },
    }],
    metrics: [
      { ...place, metric: "level", rule: above, readings: level },
      {
        ...{ ...structuredClone(place), metric: "flow", readings: readings(values) },
        rule: { id: "sum", kind: "digest", seconds: 10 },
      },
    ],
    looks: ["web1", "web2"].map((through) => ({
      ...{ at: 3000, through, device: "device", room: ROOM, state: "known" },
      ...{ online: true, expected: true },
    })),
    wholeFrom: 1500,
  };
  for (const i of [5, 15]) {
    say(history.final[0]!, { rule: "full", value: values[i]!, at: isoOf(level[i]!.at) });
  }
  for (const count of [12, 8]) say(history.final[0]!, { rule: "sum", value: 1, count });
  for (const kind of ["silent", "back"] as const) alert(history.final[0]!, kind);
  return history;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

const DEVICE = { id: "device", kind: "device", name: "device" } as const;

function say(room: FinalRoom, data: Record<string, unknown>): void {
  const seq = ++room.head;
  const message = {
    ...{ room: ROOM, seq, sender: DEVICE, at: isoOf(seq), text: `${seq}`, data, attachments: [] },
    updatedSeq: seq,
  } as FinalRoom["messages"][number];
  room.messages.push(message);
  const event = { type: "message.created", actor: DEVICE, at: isoOf(seq), message } as const;
  room.log.push({ room: ROOM, epoch: room.epoch, seq, event });
}

/** Takes a message away whose data has this. */
function forget(room: FinalRoom, some: Record<string, unknown>): void {
  const [[key, value]] = Object.entries(some) as [[string, unknown]];
  room.log = room.log.filter(({ event }) =>
    event.type !== "message.created" ||
    (event.message.data as Record<string, unknown> | undefined)?.[key] !== value
  );
}

function alert(room: FinalRoom, kind: "silent" | "back"): void {
  const seq = ++room.head;
  const event = {
    ...{ type: "device.alert", actor: DEVICE, at: isoOf(seq), device: DEVICE } as const,
    alert: { kind, expectedSeconds: 10 },
  };
  room.log.push({ room: ROOM, epoch: room.epoch, seq, event });
}

const OURS = ["telemetry", "rules", "silence", "device presence", "once"];

function finds(what: string, checks: string[], spoil: (history: Sample) => void): void {
  Deno.test(what, strict, () => {
    const history = sample();
    spoil(history);
    const found = check(history).map(({ check }) => check).filter((name) => OURS.includes(name));
    assertEquals([...new Set(found)].sort(), checks.toSorted());
  });
}

const level = ({ metering }: Sample) => metering.metrics[0]!;
const meter = ({ metering }: Sample) => metering.meters[0]!;
const disturbed = (history: Sample, from: number, to: number) => {
  delete history.metering.wholeFrom;
  Object.assign(history, {
    faults: [{ class: "bridge-kill", target: "bridge1", from, to, evidence: "9" }],
  });
};

finds("a device that measured, was silent and came back is in order", [], () => {});

finds("a reading that counts twice is found", ["telemetry"], (history) => {
  level(history).final!.latest!.count++;
  level(history).final!.points[0]!.count++;
});

finds("a reading that is missing is found", ["telemetry"], (history) => {
  level(history).final!.latest!.count--;
  level(history).final!.points[1]!.count--;
});

finds("readings may be missing, or count again, around the end of a bridge", [], (history) => {
  disturbed(history, 9000, 12_000);
  level(history).final!.points[0]!.count--;
  level(history).final!.points[1]!.count++;
});

finds("a latest reading that is not the last one is found", ["telemetry"], (history) => {
  const { at, value } = level(history).readings[18]!;
  Object.assign(level(history).final!.latest!, { at, value });
});

finds("a series that has another number of readings than were counted is found", [
  "telemetry",
], (history) => {
  level(history).final!.latest!.count++;
});

finds("a value that nobody measured is found", ["telemetry"], (history) => {
  level(history).final!.points[2]!.max = 7;
});

finds("readings of which nothing is stored are found", ["telemetry"], (history) => {
  delete level(history).final;
});

finds("a crossing that is told twice is found", ["rules"], (history) => {
  const { at, value } = level(history).readings[6]!;
  say(history.final[0]!, { rule: "full", value, at: isoOf(at) });
});

finds("a crossing may be told twice where its readings may come twice", [], (history) => {
  disturbed(history, 6000, 6000);
  const { at, value } = level(history).readings[6]!;
  say(history.final[0]!, { rule: "full", value, at: isoOf(at) });
});

finds("a crossing in peace that is not told is found", ["rules"], ({ final }) => {
  forget(final[0]!, { value: 135 });
});

finds("a message about a reading below the threshold is found", ["rules"], (history) => {
  const { at, value } = level(history).readings[1]!;
  say(history.final[0]!, { rule: "full", value, at: isoOf(at) });
});

finds("digests that tell of more readings than there are are found", ["rules"], ({ final }) => {
  say(final[0]!, { rule: "sum", value: 1, count: 1 });
});

finds("readings that no digest tells of are found", ["rules"], ({ final }) => {
  forget(final[0]!, { count: 8 });
});

finds("a reading that became a message without a rule is found", ["once"], ({ final }) => {
  say(final[0]!, { level: 120 });
});

finds("an alert that comes twice is found", ["silence"], ({ final }) => {
  alert(final[0]!, "silent");
  alert(final[0]!, "silent");
});

finds("an alert about a device that kept its interval is found", ["silence"], (history) => {
  const times = Array.from({ length: 58 }, (_, i) => (i + 1) * 1000);
  Object.assign(meter(history), { heard: times, sleeps: [], awaited: { silent: 0, back: 0 } });
});

finds("a silence that nobody is told of is found", ["silence"], ({ final }) => {
  final[0]!.log = final[0]!.log.filter(({ event }) => event.type !== "device.alert");
});

finds("a device that is said to have gone is found", ["device presence"], ({ metering }) => {
  metering.looks[1]!.online = false;
});

finds("a device that is shown too late is found", ["device presence"], ({ metering }) => {
  metering.looks[1]!.at = 60_000;
});

finds("only a dead broker may leave a device that has gone", ["device presence"], (history) => {
  history.metering.looks[0]!.expected = false;
});

finds("a broker that died then publishes no last will", [], (history) => {
  history.metering.looks[0]!.expected = false;
  const exit = { name: "mosquitto", pid: 9, at: 21_000, code: 137, signal: "SIGKILL", stderr: "" };
  Object.assign(history, {
    exits: [...history.exits, { ...exit, told: { signal: "SIGKILL", at: 21_000 } }],
  });
  meter(history).sleeps[0] = { from: 20_500 };
});

Deno.test("devices that measured too little are a violation", strict, () => {
  const least = { acks: {}, deliveries: 0, classes: [] };
  const done = { readings: 40, told: 4, lateWills: 1, looks: 2 };
  const found = (metering: typeof done) =>
    check(sample(), { ...least, metering }).filter(({ check }) => check === "work done").length;
  assertEquals(found(done), 0);
  for (const key of ["readings", "told", "lateWills", "looks"] as const) {
    assertEquals(found({ ...done, [key]: done[key] + 1 }), 1, key);
  }
});
