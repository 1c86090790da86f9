import type { DeviceAlert } from "../../lib/protocol.ts";
import type { MeterRecord } from "../history_metering.ts";
import type { Check, Violation } from "../violation.ts";

/** A reading is heard so long after the broker took it at most, when nothing is broken. */
const WAY_MS = 2000;

/**
 * A device that was not heard for longer than expected is told of in each of its rooms, once, and
 * once more when it is heard again; one that kept its interval never is.
 */
export const silence: Check = ({ metering }, rooms) => {
  const violations: Violation[] = [];
  for (const meter of metering.meters) {
    for (const room of meter.rooms) {
      const log = rooms.get(room)?.final.log ?? [];
      const alerts = log.flatMap(({ event }) =>
        event.type === "device.alert" && event.device.id === meter.device ? [event.alert] : []
      );
      for (const message of complaints(meter, alerts)) {
        const { heard, ...rest } = meter;
        const evidence = { room, alerts, ...rest, heard: heard.slice(-300) };
        violations.push({ check: "silence", message, evidence });
      }
    }
  }
  return violations;
};

function* complaints(meter: MeterRecord, alerts: readonly DeviceAlert[]): Iterable<string> {
  const kinds = alerts.map(({ kind }) => kind);
  const inTurn = kinds.every((kind, i) => kind === (i % 2 === 0 ? "silent" : "back"));
  if (!inTurn) yield `Alerts came as ${kinds.join(", ")}`;
  const count = (wanted: DeviceAlert["kind"]) => kinds.filter((kind) => kind === wanted).length;
  const [silent, back] = [count("silent"), count("back")];
  const most = gapsOf(meter);
  if (silent > most) {
    yield most === 0
      ? `A device that kept its interval was said to be silent ${silent} times`
      : `A device that was silent ${most} times was said to be so ${silent} times`;
  }
  const { awaited } = meter;
  if (silent < awaited.silent) yield "Nobody was told that a device was silent";
  if (back < awaited.back) yield "Nobody was told that a device was heard again";
}

/** How often it was not heard for about as long as expected. */
function gapsOf({ heard, expectation }: MeterRecord): number {
  if (expectation === undefined) return 0;
  const { seconds, from, to = Infinity } = expectation;
  const times = [from, ...heard.filter((at) => at > from && at < to), to];
  return times.filter((at, i) => i > 0 && at - times[i - 1]! > seconds * 1000 - WAY_MS).length;
}
