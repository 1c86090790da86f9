import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type {
  DeviceTelemetry,
  PrincipalId,
  RoomId,
  TelemetryRule,
  TelemetrySeries,
} from "../protocol.ts";
import { readMember } from "../store/rooms.ts";
import { readDropped, readLatest } from "../store/telemetry.ts";
import { putRules, readRules } from "../store/telemetry_rules.ts";
import { readSeries, type SeriesRange } from "../store/telemetry_series.ts";
import { TELEMETRY } from "../telemetry.ts";
import type { ChatContext } from "./context.ts";
import { refuseUnlessDone } from "./outcome.ts";
import { getRoom } from "./rooms.ts";

/**
 * The latest reading of each metric of a device, for members of the room. Throws `not_found` when
 * the room or the device in it is not there, and `not_a_member`.
 */
export async function deviceTelemetry(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  device: PrincipalId,
): Promise<DeviceTelemetry> {
  await requireDevice(context, viewer, room, device);
  const [latest, dropped] = await Promise.all([
    readLatest(context.db, room, device),
    readDropped(context.db, room, device),
  ]);
  return {
    device,
    metrics: latest.map(({ at, ...rest }) => ({ ...rest, at: at.toISOString() })),
    dropped,
  };
}

/**
 * A stretch of a metric's series in at most `points` points (2 to 500), for members of the room;
 * `from` and `to` are milliseconds since 1970, and bounded by what is kept. Throws like
 * deviceTelemetry().
 */
export async function telemetrySeries(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  device: PrincipalId,
  metric: string,
  wish: { from: number; to: number; points: number },
): Promise<TelemetrySeries> {
  await requireDevice(context, viewer, room, device);
  const now = Date.now();
  const from = Math.max(wish.from, now - TELEMETRY.kept[3600] * 1000);
  const to = Math.max(from, Math.min(wish.to, now + TELEMETRY.earlySeconds * 1000));
  const range = seriesRange({ from, to, points: wish.points }, now);
  const points = await readSeries(context.db, room, device, metric, range);
  return {
    device,
    metric,
    seconds: range.step,
    points: points.map(({ at, ...rest }) => ({ at: at.toISOString(), ...rest })),
  };
}

/** A question that was asked a moment ago still counts as within what is kept. */
const SLACK_MS = 30_000;

/** The longest buckets that show `points`, of those that are kept for so long. */
export function seriesRange(
  { from, to, points }: { from: number; to: number; points: number },
  now: number,
): SeriesRange {
  const wished = Math.max(0, to - from) / 1000 / (points - 1);
  const lengths = [3600, 60, 10] as const;
  const kept = lengths.filter((seconds) => now - from <= TELEMETRY.kept[seconds] * 1000 + SLACK_MS);
  const seconds = kept.find((seconds) => seconds <= wished) ?? kept.at(-1) ?? 3600;
  const step = seconds * Math.max(1, Math.ceil(wished / seconds));
  const stepMs = step * 1000;
  return {
    from: new Date(Math.floor(from / stepMs) * stepMs),
    to: new Date(Math.ceil(to / stepMs) * stepMs),
    seconds,
    step,
  };
}

/** The rules of a device in a room, in their order, for members. Throws like deviceTelemetry(). */
export async function telemetryRules(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  device: PrincipalId,
): Promise<TelemetryRule[]> {
  await requireDevice(context, viewer, room, device);
  return (await readRules(context.db, [{ room, device }])).map(({ rule }) => rule);
}

/**
 * Replaces the rules of a device in a room; for owners and admins of the room, and the device's
 * owner in it. One that stays as it is keeps its state. Throws `not_found`, `not_a_member`,
 * `forbidden`.
 */
export async function setTelemetryRules(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  device: PrincipalId,
  rules: TelemetryRule[],
): Promise<TelemetryRule[]> {
  refuseUnlessDone(await putRules(context.db, room, actor.id, device, rules));
  return rules;
}

async function requireDevice(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  device: PrincipalId,
): Promise<void> {
  const seen = await getRoom(context, viewer, room);
  if (!("role" in seen)) throw new ConfabError("not_a_member");
  const member = await readMember(context.db, room, device);
  if (member?.principal.kind !== "device") throw new ConfabError("not_found");
}
