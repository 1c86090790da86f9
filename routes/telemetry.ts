import { z } from "zod";
import {
  deviceTelemetry,
  setTelemetryRules,
  telemetryRules,
  telemetrySeries,
} from "../lib/chat/telemetry.ts";
import { metricName } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import { idSchema } from "../lib/schemas.ts";
import { TELEMETRY } from "../lib/telemetry.ts";
import {
  deviceTelemetryAnswer,
  telemetryRulesAnswer,
  telemetryRulesInput,
  telemetrySeries as seriesAnswer,
} from "../lib/telemetry_schemas.ts";
import type { Api } from "./api.ts";
import { decimal } from "./params.ts";

const params = z.object({ room: idSchema, id: idSchema });
const time = z.iso.datetime({ offset: true });
const seriesQuery = z.strictObject({
  from: time.exactOptional().meta({ description: "An hour before `to` when absent" }),
  to: time.exactOptional().meta({ description: "Now when absent" }),
  points: decimal(z.number().int().min(2).max(TELEMETRY.points)).default(300),
});
const HOUR_MS = 3_600_000;

/** What devices measure. */
export function telemetryRoutes(api: Api): void {
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/devices/{id}/telemetry",
    name: "getTelemetry",
    tag: "Devices",
    summary: "The latest readings of a device",
    description:
      "For members of the room. The signal `telemetry` tells what comes after. A metric " +
      "is forgotten when it had no reading for 30 days.",
    access: "signed-in",
    params,
    responses: { 200: { description: "One for each metric", schema: deviceTelemetryAnswer } },
    errors: ["not_a_member"],
  }, async ({ context, principal, params: { room, id } }) => ({
    status: 200,
    body: await deviceTelemetry(context.chat, principal, room, id),
  }));
  api.add({
    method: "GET",
    path: "/v1/rooms/{room}/devices/{id}/telemetry/{metric}",
    name: "getTelemetrySeries",
    tag: "Devices",
    summary: "The series of a numeric metric",
    description:
      "For members of the room. Points of ten seconds are kept for an hour, of a minute " +
      "for a day, of an hour for 30 days; the longest that show `points` are chosen, or several of " +
      "them together.",
    access: "signed-in",
    params: params.extend({ metric: metricName }),
    query: seriesQuery,
    responses: { 200: { description: "At most `points` points", schema: seriesAnswer } },
    errors: ["not_a_member"],
  }, async ({ context, principal, params: { room, id, metric }, query }) => {
    const to = query.to === undefined ? Date.now() : Date.parse(query.to);
    const from = query.from === undefined ? to - HOUR_MS : Date.parse(query.from);
    if (!(from < to)) throw new ConfabError("invalid_request", "from must be before to");
    const wish = { from, to, points: query.points };
    const body = await telemetrySeries(context.chat, principal, room, id, metric, wish);
    return { status: 200, body };
  });
  ruleRoutes(api);
}

function ruleRoutes(api: Api): void {
  const path = "/v1/rooms/{room}/devices/{id}/rules";
  api.add({
    method: "GET",
    path,
    name: "getTelemetryRules",
    tag: "Devices",
    summary: "The rules that make messages of a device's readings",
    access: "signed-in",
    params,
    responses: { 200: { description: "In their order", schema: telemetryRulesAnswer } },
    errors: ["not_a_member"],
  }, async ({ context, principal, params: { room, id } }) => ({
    status: 200,
    body: { rules: await telemetryRules(context.chat, principal, room, id) },
  }));
  api.add({
    method: "PUT",
    path,
    name: "putTelemetryRules",
    tag: "Devices",
    summary: "Replace the rules that make messages of a device's readings",
    description:
      "For owners and admins of the room, and for the device's owner in it. A rule that " +
      "stays as it is keeps its state; a new one works within some seconds. The messages are the " +
      "device's own, with `data` `{rule, metric, value, at}`, and `untold` where the rule had more to " +
      "tell than a message a second. Devices that only read in the room measure nothing into it.",
    access: "signed-in",
    params,
    body: telemetryRulesInput,
    example: {
      rules: [
        { id: "hot", metric: "temp", kind: "above", threshold: 30, hysteresis: 2, unit: "°C" },
        { id: "gone", metric: "temp", kind: "silence", seconds: 300 },
        { id: "hourly", metric: "temp", kind: "digest", seconds: 3600, unit: "°C" },
      ],
    },
    responses: { 200: { description: "As they are now", schema: telemetryRulesAnswer } },
    errors: ["forbidden", "not_a_member"],
  }, async ({ context, principal, params: { room, id }, body }) => ({
    status: 200,
    body: { rules: await setTelemetryRules(context.chat, principal, room, id, body.rules) },
  }));
}
