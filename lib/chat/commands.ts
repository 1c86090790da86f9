import type { Principal } from "../auth/principal.ts";
import { commandLine } from "../command_line.ts";
import { ConfabError } from "../errors.ts";
import { newId } from "../ids.ts";
import { decodeCursor, type List, listOf } from "../lists.ts";
import type {
  CommandStatus,
  Json,
  Message,
  Metadata,
  PrincipalId,
  PublicPrincipal,
  RoomId,
} from "../protocol.ts";
import {
  type CommandFilter,
  listCommands as list,
  type StoredCommand,
} from "../store/command_lists.ts";
import { readCommanded } from "../store/command_definitions.ts";
import * as store from "../store/commands.ts";
import { announceChange } from "./announce.ts";
import { bodyHash } from "./body_hash.ts";
import type { ChatContext } from "./context.ts";
import { storedMessage } from "./messages.ts";
import { refuseUnlessDone } from "./outcome.ts";

/** What a device is asked to do. */
export interface CommandRequest {
  /** The sender's own id of the message: a repeat stores nothing. */
  clientId: string;
  name: string;
  args: Metadata;
  /** How long the device may take, also to come online; default: by its definition, or 30. */
  timeoutSeconds?: number;
  /** Needed for commands that the device's owner calls dangerous. */
  confirm?: boolean;
}

/** The message of a command as the actor sees it, and whether nothing new was stored. */
export interface CommandMessage {
  message: Message;
  duplicate: boolean;
}

const DEFAULT_SECONDS = 30;

/** Commands that one device may have to answer at a time. */
export const MAX_OPEN_COMMANDS = 100;

/**
 * Asks a device of the room to do something, with a message whose text is the command as one would
 * type it. Resolves after the commit; the same clientId with the same request again answers with the
 * first message. Throws ConfabError: `not_found`, `not_a_member`, `read_only`, `device_disabled`,
 * `device_read_only`, `forbidden`, `unknown_command`, `confirmation_required`, `too_many_commands`,
 * `client_id_reused`, `rate_limited`.
 */
export async function sendCommand(
  context: ChatContext,
  sender: Principal,
  room: RoomId,
  device: PrincipalId,
  request: CommandRequest,
): Promise<CommandMessage> {
  context.sends.take(sender.id);
  const { clientId, name, args, confirm = false } = request;
  const asked = await readCommanded(context.db, device);
  const definition = asked?.definitions?.find((each) => each.name === name);
  const { outcome, seq } = await store.sendCommand(context.db, {
    id: newId(),
    room,
    sender: sender.id,
    device,
    name,
    args: JSON.stringify(args),
    timeoutSeconds: request.timeoutSeconds ?? definition?.timeoutSeconds ?? DEFAULT_SECONDS,
    confirmed: confirm,
    text: commandLine(asked?.name ?? "", name, args),
    clientId,
    hash: commandHash(device, request),
  }, MAX_OPEN_COMMANDS);
  refuseUnlessDone(outcome);
  const duplicate = outcome === "duplicate";
  if (!duplicate) await announceChange(context, room, seq!);
  return { message: await storedMessage(context, sender, room, seq!), duplicate };
}

/**
 * No message and no change of one has this hash: they have no target 0. A repeat stays one when the
 * definition has changed meanwhile.
 */
function commandHash(device: PrincipalId, request: CommandRequest): string {
  const { name, args, timeoutSeconds = DEFAULT_SECONDS } = request;
  const data: Json = { device, name, args, timeoutSeconds };
  return bodyHash({ data, target: 0 });
}

/**
 * Takes back a command that nobody has answered: its sender, and the room's owners and admins.
 * Throws ConfabError: `not_found`, `not_a_member`, `read_only`, `forbidden`, `command_settled`.
 */
export async function cancelCommand(
  context: ChatContext,
  actor: Principal,
  room: RoomId,
  command: string,
): Promise<CommandMessage> {
  context.sends.take(actor.id);
  const { outcome, seq, told } = await store.cancelCommand(context.db, room, actor.id, command);
  refuseUnlessDone(outcome);
  if (told !== null) await announceChange(context, room, told);
  return { message: await storedMessage(context, actor, room, seq!), duplicate: told === null };
}

/** A command with who, what, when, and what became of it. */
export interface CommandRecord {
  id: string;
  /** The message that holds it. */
  seq: number;
  device: PublicPrincipal;
  sender: PublicPrincipal;
  name: string;
  /** Absent when they were deleted with the message. */
  args?: Metadata;
  status: CommandStatus;
  createdAt: string;
  expiresAt: string;
  settledAt?: string;
  /** The message with which the device answered. */
  answer?: number;
}

/** The commands of a room, the newest first. Throws `not_found`, `invalid_cursor`. */
export async function listCommands(
  context: ChatContext,
  viewer: Principal,
  room: RoomId,
  filter: CommandFilter,
  page: { cursor?: string; limit: number },
): Promise<List<CommandRecord>> {
  const before = page.cursor === undefined
    ? Number.MAX_SAFE_INTEGER
    : seqOf(decodeCursor(page.cursor, 2)[0]!);
  const rows = await list(context.db, room, viewer.id, filter, before, page.limit + 1);
  if (rows === undefined) throw new ConfabError("not_found");
  return listOf(rows.map(shown), page.limit, ({ seq, id }) => [String(seq), id]);
}

function seqOf(part: string): number {
  if (!/^\d{1,15}$/.test(part)) throw new ConfabError("invalid_cursor");
  return Number(part);
}

function shown(stored: StoredCommand): CommandRecord {
  const { args, createdAt, expiresAt, settledAt, answer, ...rest } = stored;
  return {
    ...rest,
    ...(args === undefined ? {} : { args }),
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    ...(settledAt === undefined ? {} : { settledAt: settledAt.toISOString() }),
    ...(answer === undefined ? {} : { answer }),
  };
}
