import type { Principal } from "../lib/auth/principal.ts";
import { type CommandRequest, sendCommand } from "../lib/chat/commands.ts";
import { setMember } from "../lib/chat/members.ts";
import { readLog } from "../lib/chat/messages.ts";
import { publicError } from "../lib/chat/outcome.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { ConfabError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { LogEntry, Message, RoomId, RoomRole } from "../lib/protocol.ts";
import { type ChatScene, newDevice, newPrincipal } from "./chat.ts";

/** `ok`, or the code with which something is refused. */
export async function code(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "ok", (error) => {
    const shown = publicError(error);
    if (shown instanceof ConfabError) return shown.code;
    throw error;
  });
}

/** Who is in the room. */
export type Cast = Record<RoomRole | "stranger", Principal> & { room: RoomId; pump: Principal };

/** A room with somebody in every role and a device of the owner's. */
export async function cast({ chat, db }: ChatScene): Promise<Cast> {
  const owner = await newPrincipal(db, "user", "Olga");
  const { id: room } = await createRoom(chat, owner, { name: "Plant", visibility: "private" });
  const people = {
    owner,
    admin: await newPrincipal(db),
    member: await newPrincipal(db, "user", "Mia"),
    reader: await newPrincipal(db),
    stranger: await newPrincipal(db),
  };
  for (const role of ["admin", "member", "reader"] as const) {
    await setMember(chat, owner, room, people[role].id, role);
  }
  const pump = await newDevice(db, owner);
  await db.query("update principals set name = 'pump 1' where id = $1", [pump.id]);
  await setMember(chat, owner, room, pump.id, "member");
  return { ...people, room, pump };
}

/** A request with a fresh clientId. */
export function ask(changes: Partial<CommandRequest> = {}): CommandRequest {
  return { clientId: newId(), name: "start", args: {}, timeoutSeconds: 30, ...changes };
}

/** A command of the member's to the device. */
export async function command(scene: ChatScene, { room, pump, member }: Cast): Promise<Message> {
  return (await sendCommand(scene.chat, member, room, pump.id, ask())).message;
}

/** Lets the time of a command be over. */
export async function letExpire({ db }: ChatScene, id: string): Promise<void> {
  await db.query(
    "update commands set expires_at = clock_timestamp() - interval '1 second' where id = $1",
    [id],
  );
}

/** The whole log, as the owner sees it. */
export async function logOf({ chat }: ChatScene, { room, owner }: Cast): Promise<LogEntry[]> {
  return (await readLog(chat, owner, room, { after: 0 }, 200)).entries;
}

/** The types of the entries after a seq. */
export const typesOf = (entries: LogEntry[], after: number) =>
  entries.filter(({ seq }) => seq > after).map(({ event }) => event.type);
