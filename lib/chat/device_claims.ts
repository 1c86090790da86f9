import { hashClaimCode, newDeviceCode, newUserCode, readUserCode } from "../auth/claim_codes.ts";
import type { AuthContext } from "../auth/context.ts";
import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { RoomId } from "../protocol.ts";
import * as store from "../store/device_claims.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";
import {
  type Device,
  type DeviceWithGeneration,
  getDevice,
  MAX_DEVICES,
  withGeneration,
} from "./devices.ts";
import { afterCommit, refuseUnlessDone } from "./outcome.ts";

/** What claims work with. */
export interface ClaimContext {
  chat: ChatContext;
  accounts: Pick<AuthContext, "limits" | "loginsPerMinute" | "refreshKey">;
}

/** The codes of a new claim, and its times in seconds. */
export interface StartedClaim {
  deviceCode: string;
  userCode: string;
  expiresIn: number;
  interval: number;
}

const LIFE_SECONDS = 900;
const POLL_SECONDS = 5;
const UNNAMED = "New device";

/**
 * Begins a claim: a device that has no credentials shows the user code to a person and polls with
 * the device code (the OAuth 2.0 device authorization grant, RFC 8628). Throttled per address: ten
 * times `loginsPerMinute`.
 *
 * @throws {ConfabError} `rate_limited`
 */
export async function startClaim(
  context: ClaimContext,
  { name }: { name?: string },
  address: string,
): Promise<StartedClaim> {
  const { accounts, chat } = context;
  await throttle(context, `claim:${address}`, 10 * accounts.loginsPerMinute);
  const deviceCode = newDeviceCode();
  const deviceHash = await hashClaimCode(accounts.refreshKey, deviceCode);
  for (let tries = 0; tries < 5; tries++) {
    const userCode = newUserCode();
    const userHash = await hashClaimCode(accounts.refreshKey, userCode);
    const claim = { id: newId(), deviceHash, userHash, name: name ?? null, seconds: LIFE_SECONDS };
    if (await store.createClaim(chat.db, claim)) {
      return { deviceCode, userCode, expiresIn: LIFE_SECONDS, interval: POLL_SECONDS };
    }
  }
  throw new ConfabError("overloaded", "There are too many open claims");
}

/**
 * Makes the device that waits with this user code: it belongs to `owner` and joins the rooms, all
 * of it or nothing. A repeat by the same person answers with the device. Guesses are throttled: per
 * person `loginsPerMinute`, per address ten times that.
 *
 * @throws {ConfabError} `not_found` (no such code), `claim_expired`, `forbidden`, `rate_limited`, or
 * why a room refuses the device, as for putting a member there
 */
export async function approveClaim(
  context: ClaimContext,
  owner: Principal,
  { userCode, name, rooms }: { userCode: string; name?: string; rooms: RoomId[] },
  address: string,
): Promise<{ device: Device; created: boolean }> {
  const { accounts, chat } = context;
  if (owner.kind !== "user") throw new ConfabError("forbidden");
  await throttle(context, `claim-from:${address}`, 10 * accounts.loginsPerMinute);
  await throttle(context, `claim-as:${owner.id}`, accounts.loginsPerMinute);
  const code = readUserCode(userCode);
  if (code === undefined) throw new ConfabError("not_found", "No device waits with this code");
  const places = [...new Set(rooms)].sort();
  const { outcome, device, refused, seqs } = await store.approveClaim(chat.db, {
    userHash: await hashClaimCode(accounts.refreshKey, code),
    person: owner.id,
    candidate: newId(),
    name: name ?? null,
    fallbackName: UNNAMED,
    rooms: places,
    maxDevices: MAX_DEVICES,
  });
  refuse(outcome, refused);
  if (outcome === "ok") {
    for (const [i, room] of places.entries()) await announceChange(chat, room, seqs[i]!);
    chat.bus.revoke({ device: device! });
  }
  const shown = await afterCommit(getDevice(chat, owner, device!));
  return { device: shown, created: outcome === "ok" };
}

/**
 * The device of a claim with its credentials, once: what is fetched again, too late or never
 * approved in time is `claim_expired`. Who asks more often than three times in an interval is told
 * to wait for two (`slow_down` of RFC 8628), but gets what is there. Only claims that wait are
 * counted: codes that somebody makes up would push other counters out of memory.
 *
 * @throws {ConfabError} `claim_pending` with the seconds to wait, `claim_expired`, `rate_limited`
 */
export async function redeemClaim(
  context: ClaimContext,
  deviceCode: string,
): Promise<DeviceWithGeneration> {
  const { accounts, chat } = context;
  const hash = await hashClaimCode(accounts.refreshKey, deviceCode);
  const device = await store.spendClaim(chat.db, hash);
  if (device !== undefined) return withGeneration(device);
  if (!await store.isClaimPending(chat.db, hash)) throw new ConfabError("claim_expired");
  // Sixteen characters tell claims apart, and keep the counter's key short.
  const rate = { perSecond: 3 / POLL_SECONDS, burst: 3 * 60 / POLL_SECONDS };
  if (!(await accounts.limits.take(`claim-poll:${hash.slice(0, 16)}`, rate)).granted) {
    const retryAfter = 2 * POLL_SECONDS;
    throw new ConfabError("rate_limited", "The device asks too often", { retryAfter });
  }
  throw new ConfabError("claim_pending");
}

function refuse(outcome: string, room: RoomId | null): void {
  try {
    refuseUnlessDone(outcome);
  } catch (error) {
    if (!(error instanceof ConfabError)) throw error;
    if (room !== null) {
      throw new ConfabError(error.code, `${error.message} (room ${room}); no device was made`);
    }
    if (error.code === "not_found") {
      throw new ConfabError("not_found", "No device waits with this code");
    }
    if (error.code === "forbidden") {
      throw new ConfabError("forbidden", `One person may have at most ${MAX_DEVICES} devices`);
    }
    throw error;
  }
}

async function throttle(
  { accounts }: ClaimContext,
  key: string,
  perMinute: number,
): Promise<void> {
  const rate = { perSecond: perMinute / 60, burst: perMinute };
  const { granted, retryAfter } = await accounts.limits.take(key, rate);
  if (!granted) throw new ConfabError("rate_limited", "Too many attempts", { retryAfter });
}
