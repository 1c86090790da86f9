import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import { decodeCursor, type List, listOf } from "../lists.ts";
import { mergePatch } from "../merge_patch.ts";
import {
  type DeviceState,
  type Metadata,
  type PrincipalId,
  type RoomId,
  SIZES,
} from "../protocol.ts";
import { stateSchema } from "../schemas.ts";
import { stateDelta } from "../state_delta.ts";
import * as store from "../store/device_states.ts";
import { readEntries } from "../store/log.ts";
import { announceChange } from "./announce.ts";
import { bodyHash } from "./body_hash.ts";
import type { ChatContext } from "./context.ts";
import { inTurn } from "./in_turn.ts";
import { afterCommit, refuseUnlessDone } from "./outcome.ts";
import { getRoom } from "./rooms.ts";

export type { StateKey } from "../store/device_states.ts";

/** A wish for a device; members that are null shall not be there. */
export interface DesiredChange {
  /** The whole state, or what changes of it (a merge patch). */
  desired: Metadata;
  /** The desired version that the actor saw; absent: whatever it is. */
  version?: number;
  /** Makes a late repeat harmless. */
  clientId?: string;
}

/** The state after a wish. */
export interface ChangedState {
  state: DeviceState;
  /** It was so before. */
  duplicate: boolean;
}

/**
 * Wishes for a state of a device in a room: the whole of it, or (`merge`) changes; those of several
 * people all count when no version is given. For members who may write. Throws `not_found`,
 * `not_a_member`, `read_only`, `client_id_reused`, `payload_too_large`; with a version
 * `version_conflict` when there is another one than was seen, without one `unavailable` when others
 * are always faster.
 */
export async function setDesired(
  context: ChatContext,
  actor: Principal,
  key: store.StateKey,
  { desired, version, clientId }: DesiredChange,
  { merge, patienceMs }: { merge: boolean; patienceMs?: number },
): Promise<ChangedState> {
  context.sends.take(actor.id);
  const { room, device } = key;
  const hash = clientId === undefined
    ? null
    : bodyHash({ data: { device, merge, desired, version: version ?? null } });
  const attempt = async () => {
    const present = merge ? await presentState(context, key) : undefined;
    return await store.setDesired(context.db, {
      ...key,
      actor: actor.id,
      // A change of nothing, too: the device may have been added, and wished for, since.
      expected: version ?? (merge ? present?.desiredVersion ?? 0 : null),
      desired: JSON.stringify(fitting(mergePatch(present?.desired, desired))),
      clientId: clientId ?? null,
      hash,
    });
  };
  const first = async () => {
    const done = await attempt();
    return done.outcome === "version_conflict" ? undefined : done;
  };
  const done = merge && version === undefined
    ? await inTurn(context.wishes, `${room} ${device}`, first, patienceMs)
    : await attempt();
  if (done.outcome === "version_conflict") {
    throw new ConfabError(done.outcome, `The desired state has version ${done.version} by now`);
  }
  refuseUnlessDone(done.outcome);
  const duplicate = done.outcome === "duplicate";
  if (!duplicate) await announceChange(context, room, done.seq!);
  const state = await afterCommit(stateAfter(context, key, done.seq!));
  if (!duplicate) signalState(context, room, state);
  return { state, duplicate };
}

/** A merge patch cannot make it nested too deep, but too large. */
function fitting(desired: Metadata): Metadata {
  if (stateSchema.safeParse(desired).success) return desired;
  throw new ConfabError(
    "payload_too_large",
    `The state would be larger than ${SIZES.stateBytes} bytes`,
  );
}

async function presentState(
  { db }: Pick<ChatContext, "db">,
  key: store.StateKey,
): Promise<DeviceState | undefined> {
  return (await store.readStates(db, [key]))[0]?.state;
}

/** The state as it is now; when the device has been removed since, as the entry `seq` has it. */
async function stateAfter(
  { db }: ChatContext,
  key: store.StateKey,
  seq: number,
): Promise<DeviceState> {
  const present = await presentState({ db }, key);
  if (present !== undefined) return present;
  const [entry] = await readEntries(db, key.room, seq, seq);
  if (entry?.event.type !== "device.state") throw new ConfabError("not_found");
  const { device, state: { desired, version }, at, actor } = entry.event;
  return {
    device,
    desired,
    desiredVersion: version,
    desiredAt: at,
    desiredBy: actor,
    reportedVersion: 0,
    delta: stateDelta(desired),
  };
}

/** The state of a device in a room that the viewer may see. Throws `not_found`. */
export async function getState(
  context: ChatContext,
  viewer: Principal,
  key: store.StateKey,
): Promise<DeviceState> {
  await getRoom(context, viewer, key.room);
  const state = await presentState(context, key);
  if (state === undefined) throw new ConfabError("not_found");
  return state;
}

/** The devices of a room that the viewer may see, with their states. Throws `not_found`. */
export async function listStates(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  page: { cursor?: string; limit: number },
): Promise<List<DeviceState>> {
  await getRoom(context, viewer, room);
  const after = page.cursor === undefined ? null : decodeCursor(page.cursor, 1)[0]!;
  const states = await store.listStates(context.db, room, after, page.limit + 1);
  return listOf(states, page.limit, ({ device }) => [device.id]);
}

/** What a report has changed. */
export interface Reported {
  /** False: it was so before. */
  changed: boolean;
  /** There is more, less or something else to do than before. */
  deltaChanged: boolean;
}

/**
 * Stores what a device says that it is (undefined: nothing any more), for device members who may
 * write. Nobody is told yet: see signalStates(). Throws `not_found`, `read_only`.
 */
export async function reportState(
  { db }: Pick<ChatContext, "db">,
  device: PrincipalId,
  room: RoomId,
  reported: Metadata | undefined,
): Promise<Reported> {
  const json = reported === undefined ? null : JSON.stringify(reported);
  const { outcome, former, desired } = await store.reportState(db, { room, device }, json);
  refuseUnlessDone(outcome);
  if (outcome === "duplicate") return { changed: false, deltaChanged: false };
  // Deltas of one desired state have its order
  const delta = (of: Metadata | null | undefined) => JSON.stringify(stateDelta(desired!, of ?? {}));
  return { changed: true, deltaChanged: desired !== null && delta(former) !== delta(reported) };
}

/** Shows the present states of devices to whoever has joined their rooms. */
export async function signalStates(
  context: Pick<ChatContext, "db" | "bus">,
  keys: readonly store.StateKey[],
): Promise<void> {
  for (const { room, state } of await store.readStates(context.db, keys)) {
    signalState(context, room, state);
  }
}

function signalState({ bus }: Pick<ChatContext, "bus">, room: RoomId, state: DeviceState): void {
  const { desired: _, desiredAt: __, desiredBy: ___, ...reported } = state;
  bus.signal(room, { type: "state", ...reported });
}
