import { z } from "zod";
import { metricName, type readingValue } from "./device_schemas.ts";
import { id, timestamp } from "./entry_schemas.ts";
import type {
  DeviceTelemetry,
  Reading,
  TelemetryRule,
  TelemetrySeries,
  TelemetrySignal,
} from "./protocol.ts";
import { storableString } from "./schemas.ts";
import { TELEMETRY } from "./telemetry.ts";

/** Telemetry as people see it, and the rules that they make. */

const metric = z.string();
const value = z.union([z.number(), z.boolean(), z.string()]);
const fields = { metric, value, at: timestamp };
const reading = z.object(fields).meta({ id: "Reading" });

/** The newest readings of a device, for those who look at the room. */
export const telemetrySignal = z.object({
  type: z.literal("telemetry"),
  device: id,
  readings: z.array(reading).meta({ description: "At most one for each metric" }),
});

/** What is known of a device's metrics. */
export const deviceTelemetryAnswer = z.object({
  device: id,
  metrics: z.array(
    z.object({
      ...fields,
      count: z.number().int().meta({ description: "Readings of this metric so far" }),
    }),
  ).meta({ description: "The latest reading of each metric, by name" }),
  dropped: z.number().int().meta({
    description:
      "Readings that were not stored: beyond the quota or the number of metrics, or too " +
      "many while the database was away",
  }),
}).meta({ id: "DeviceReadings" });

/** A stretch of a metric's series. */
export const telemetrySeries = z.object({
  device: id,
  metric,
  seconds: z.number().int().meta({ description: "How long each point is" }),
  points: z.array(z.object({
    at: timestamp.meta({ description: "When it begins" }),
    count: z.number().int(),
    min: z.number(),
    max: z.number(),
    sum: z.number(),
    last: z.number(),
  })).meta({ description: "The oldest first; stretches without readings are left out" }),
}).meta({ id: "TelemetrySeries" });

const threshold = z.number().min(-TELEMETRY.largest).max(TELEMETRY.largest);
const distance = z.number().min(0).max(TELEMETRY.largest);
const named = {
  id: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, "must be 1 to 32 of A-Z a-z 0-9 _ -")
    .meta({ description: "Unique among the rules of the device in the room" }),
  metric: metricName,
  unit: storableString(1, 16).exactOptional()
    .meta({ description: "Shown behind values, such as `°C`" }),
};
const level = {
  ...named,
  threshold,
  hysteresis: distance.exactOptional()
    .meta({ description: "So far must the value go back before the rule fires again" }),
};

/** A rule that makes messages of readings. */
export const telemetryRuleInput = z.discriminatedUnion("kind", [
  z.strictObject({ ...level, kind: z.literal("above") }),
  z.strictObject({ ...level, kind: z.literal("below") }),
  z.strictObject({
    ...named,
    kind: z.literal("change"),
    threshold: distance.gt(0).meta({
      description: "So far must a number be from the one that was told last; any other text or " +
        "boolean is a change",
    }),
  }),
  z.strictObject({
    ...named,
    kind: z.literal("silence"),
    seconds: z.number().int().min(5).max(7 * 86_400),
  }),
  z.strictObject({
    ...named,
    kind: z.literal("digest"),
    seconds: z.number().int().min(10).max(86_400),
  }),
]);

/** All rules of a device in a room. */
export const telemetryRulesInput = z.strictObject({
  rules: z.array(telemetryRuleInput).max(TELEMETRY.rules)
    .refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length, {
      error: "names a rule twice",
    }),
});

const telemetryRule = z.object({
  id: z.string(),
  metric,
  kind: z.enum(["above", "below", "change", "silence", "digest"]),
  threshold: z.number().exactOptional(),
  hysteresis: z.number().exactOptional(),
  seconds: z.number().int().exactOptional(),
  unit: z.string().exactOptional(),
}).meta({ id: "TelemetryRule" });

/** The rules of a device in a room, in their order. */
export const telemetryRulesAnswer = z.object({ rules: z.array(telemetryRule) });

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
[true, true, true, true, true, true] satisfies [
  Equal<z.output<typeof reading>, Reading>,
  Equal<z.output<typeof readingValue>, Reading["value"]>,
  Equal<z.output<typeof telemetrySignal>, TelemetrySignal>,
  Equal<z.output<typeof deviceTelemetryAnswer>, DeviceTelemetry>,
  Equal<z.output<typeof telemetrySeries>, TelemetrySeries>,
  Equal<z.output<typeof telemetryRule>, TelemetryRule>,
];
