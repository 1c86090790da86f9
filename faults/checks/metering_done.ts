import type { History } from "../history.ts";
import { isMadeByRule } from "./rules.ts";

/** What devices must have done so that silence about them means something. */
export interface MeteringWork {
  /** Readings that the broker acknowledged. */
  readings: number;
  /** Messages that rules made. */
  told: number;
  /** Last wills of older sessions that the broker acknowledged. */
  lateWills: number;
  /** Answers of nodes to whether a device is there. */
  looks: number;
}

/** What of it is missing, in sentences. */
export function missingOf({ metering, final }: History, least: MeteringWork): string[] {
  const done: MeteringWork = {
    readings: metering.metrics.flatMap(({ readings }) => readings)
      .filter(({ ackedAt }) => ackedAt !== undefined).length,
    told: final.flatMap(({ log }) => log).filter((entry) => isMadeByRule(metering, entry)).length,
    lateWills: metering.meters.reduce((sum, { lateWills }) => sum + lateWills.length, 0),
    looks: metering.looks.length,
  };
  const names: Record<keyof MeteringWork, string> = {
    readings: "readings were acknowledged",
    told: "messages were made by rules",
    lateWills: "last wills came late",
    looks: "answers said whether a device is there",
  };
  return (Object.keys(names) as (keyof MeteringWork)[])
    .filter((key) => done[key] < least[key])
    .map((key) => `Only ${done[key]} of ${least[key]} ${names[key]}`);
}
