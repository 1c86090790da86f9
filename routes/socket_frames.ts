import { deleteMessage, editMessage, sendMessage } from "../lib/chat/messages.ts";
import { markRead, signalTyping } from "../lib/chat/rooms.ts";
import { ConfabError } from "../lib/errors.ts";
import type { ClientFrame, JoinOk, RoomId } from "../lib/protocol.ts";
import type { Joined } from "../lib/realtime/hub.ts";
import type { JoinedRoom, SocketConnection } from "./socket_connection.ts";

type Frame<T extends ClientFrame["type"]> = Extract<ClientFrame, { type: T }>;

/** Does what a frame asks and answers it; what it throws becomes the answer. */
export async function handleFrame(socket: SocketConnection, frame: ClientFrame): Promise<void> {
  switch (frame.type) {
    case "send":
      return await send(socket, frame);
    case "join":
      return await join(socket, frame);
    case "leave":
      return leave(socket, frame);
    case "edit":
    case "delete":
      return await change(socket, frame);
    case "typing":
      return typing(socket, frame.room);
    case "read":
      return await read(socket, frame);
    case "auth":
      return await renew(socket, frame);
    case "ping":
      return socket.send({ type: "pong" });
  }
}

async function send(socket: SocketConnection, frame: Frame<"send">): Promise<void> {
  const { type: _, id, room, clientId, ...body } = frame;
  const ok = await sendMessage(socket.context.chat, socket.principal, room, clientId, body);
  socket.send({ type: "ok", id, ...ok });
}

async function join(socket: SocketConnection, frame: Frame<"join">): Promise<void> {
  const { rooms, context } = socket;
  const { room, after, epoch } = frame;
  const present = rooms.get(room);
  if (present === undefined && rooms.size >= context.config.limits.joinedRooms) {
    throw new ConfabError("too_many_rooms");
  }
  // Joining again begins anew, from the cursor that is given now.
  if (present?.subscription !== undefined) context.hub.leave(present.subscription);
  const joining: JoinedRoom = { subscription: undefined };
  rooms.set(room, joining);
  const cursor = after === undefined
    ? undefined
    : { after, ...(epoch === undefined ? {} : { epoch }) };
  try {
    const subscription = await context.hub.join(socket, room, cursor, (joined) => {
      // Closed, left or joined again meanwhile: nothing of this join may be delivered.
      if (rooms.get(room) !== joining) {
        throw new ConfabError("not_joined", "A later frame left the room or joined it again");
      }
      socket.send({ type: "ok", id: frame.id, ...answer(room, joined) });
    });
    // Evicted by the very first entries.
    if (rooms.get(room) !== joining) context.hub.leave(subscription);
    else {
      joining.subscription = subscription;
      context.presence.look(subscription);
    }
  } catch (error) {
    if (rooms.get(room) === joining) rooms.delete(room);
    throw error;
  }
}

function answer(room: RoomId, { view, recovered }: Joined): JoinOk & Record<string, unknown> {
  const { epoch, head, read, unread, role } = view;
  return {
    room,
    epoch,
    head,
    read,
    unread,
    role,
    ...(recovered === undefined ? {} : { recovered }),
  };
}

function leave(socket: SocketConnection, { id, room }: Frame<"leave">): void {
  const subscription = socket.rooms.get(room)?.subscription;
  if (subscription !== undefined) socket.context.hub.leave(subscription);
  socket.rooms.delete(room);
  socket.send({ type: "ok", id, room });
}

async function change(
  socket: SocketConnection,
  frame: Frame<"edit"> | Frame<"delete">,
): Promise<void> {
  const { chat } = socket.context;
  let changed;
  if (frame.type === "delete") {
    const { room, seq, clientId } = frame;
    changed = await deleteMessage(chat, socket.principal, room, seq, clientId);
  } else {
    const { type: _, id: __, room, seq, clientId, ...body } = frame;
    changed = await editMessage(chat, socket.principal, room, seq, body, clientId);
  }
  const { seq, duplicate, message } = changed;
  socket.send({ type: "ok", id: frame.id, seq, duplicate, message });
}

function typing(socket: SocketConnection, room: RoomId): void {
  const subscription = socket.rooms.get(room)?.subscription;
  if (subscription === undefined) throw new ConfabError("not_joined");
  if (subscription.role === null) throw new ConfabError("not_a_member");
  signalTyping(socket.context.chat, socket.principal, room);
}

async function read(socket: SocketConnection, { id, room, seq }: Frame<"read">): Promise<void> {
  const progress = await markRead(socket.context.chat, socket.principal, room, seq);
  if (id !== undefined) socket.send({ type: "ok", id, ...progress });
}

async function renew(socket: SocketConnection, { id, token }: Frame<"auth">): Promise<void> {
  const principal = await socket.context.authenticate(token);
  if (principal.id !== socket.principal.id) {
    throw new ConfabError("forbidden", "The token belongs to another account");
  }
  if (socket.done) return;
  socket.setPrincipal(principal);
  socket.send({ type: "ok", id, expiresAt: new Date(principal.expiresAt ?? 0).toISOString() });
}
