import type { ExitRecord } from "../history.ts";
import type { MeteringRecord, MeterLook } from "../history_metering.ts";
import type { Check, Violation } from "../violation.ts";

/** Milliseconds after healing in which presence may still be wrong, and what a look takes. */
const BOUND_MS = 45_000 + 1000;
/** A broker notices within this that a device has gone without a word (MQTT keep alive, 5 s). */
const NOTICED_MS = 15_000;

/**
 * Within 45 s after healing every node says of a device what is so, by its births and last wills;
 * the last will of an older session never ends a newer one. Only a broker that dies with what it
 * had noticed, or not noticed yet, leaves a device online that has gone.
 */
export const devicePresence: Check = ({ metering, convergence, exits }) => {
  const last = new Map<string, MeterLook>();
  for (const look of metering.looks) {
    if (look.state === "off") continue;
    last.set(`${look.through} ${look.room} ${look.device}`, look);
  }
  const bound = (convergence?.healedAt ?? 0) + BOUND_MS;
  const violations: Violation[] = [];
  for (const look of last.values()) {
    if (!look.expected && isExcused(look, metering, exits)) continue;
    const what = look.room === undefined ? "The status of a device" : "A device in its room";
    const message = look.state === "unknown"
      ? `${what} was unknown to the end`
      : look.online !== look.expected
      ? `${what} was ${look.online ? "online" : "offline"} to the end, which is wrong`
      : look.at > bound
      ? `${what} was right only ${Math.round(look.at - bound)} ms after the bound`
      : undefined;
    if (message === undefined) continue;
    const meter = metering.meters.find(({ device }) => device === look.device);
    const evidence = { look, births: meter?.births, lateWills: meter?.lateWills };
    violations.push({ check: "device presence", message, evidence });
  }
  return violations;
};

function isExcused(
  { device }: MeterLook,
  { meters }: MeteringRecord,
  exits: readonly ExitRecord[],
): boolean {
  const gone = meters.find((meter) => meter.device === device)?.sleeps.at(-1)?.from ?? Infinity;
  return exits.some(({ name, at }) =>
    name === "mosquitto" && at > gone - 1000 && at < gone + NOTICED_MS
  );
}
