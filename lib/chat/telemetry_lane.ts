import type { PrincipalId, Reading, RoomId } from "../protocol.ts";
import { readPlaces, storeTelemetry, type TelemetryBatch } from "../store/telemetry.ts";
import * as rules from "../store/telemetry_rules.ts";
import type { ChatContext } from "./context.ts";
import { publicError } from "./outcome.ts";

export type { MetricReadings, ReadingBucket, SourceReadings } from "../store/telemetry.ts";
export type { DueRule, RuleChange, SettledRule, StoredRule } from "../store/telemetry_rules.ts";

/** What a bridge does with readings. Failures that may pass are `unavailable`. */
export function telemetryLane({ db, bus }: Pick<ChatContext, "db" | "bus">) {
  return {
    /** Those of these pairs where the device is in the room, with its metrics and rules there. */
    places: (pairs: { room: RoomId; device: PrincipalId }[]) =>
      passing(async () => {
        const [places, found] = await Promise.all([
          readPlaces(db, pairs),
          rules.readRules(db, pairs),
        ]);
        const of = Map.groupBy(found, ({ room, device }) => `${room}/${device}`);
        return places.map((place) => ({
          ...place,
          rules: of.get(`${place.room}/${place.device}`) ?? [],
        }));
      }),
    store: (batch: TelemetryBatch) => passing(() => storeTelemetry(db, batch)),
    /** Shows readings to those who look at the room now. */
    show: (room: RoomId, device: PrincipalId, readings: Reading[]) =>
      bus.signal(room, { type: "telemetry", device, readings }),
    dueRules: (most: number) => passing(() => rules.readDueRules(db, most)),
    saveRules: (changes: rules.RuleChange[]) => passing(() => rules.saveRules(db, changes)),
    settleRules: (settled: rules.SettledRule[]) => passing(() => rules.settleRules(db, settled)),
  };
}

/** All of it may be repeated: a lost answer is `unavailable`, too. */
function passing<T>(call: () => Promise<T>): Promise<T> {
  return call().catch((error) => {
    throw publicError(error, true);
  });
}
