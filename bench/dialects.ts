import { eventRange } from "./event_range.ts";
import { mqttConnect, mqttPublish, mqttSubscribe } from "./mqtt_frames.ts";
import type { RawSocket } from "./raw_socket.ts";
import { confabSocket, serverFrames } from "./server_frames.ts";

/** How to get and send the messages of one room at a server of one kind. */
export interface Dialect {
  /** Path, subprotocol and headers of the upgrade. */
  upgrade(token: string): { path: string; protocol?: string; headers?: Record<string, string> };
  /** The seq of the first message, where the upgrade alone is the join. */
  joined?: number;
  /** Sends what comes first. */
  begin(socket: RawSocket, room: string): void;
  /** Takes a frame before the join; returns the seq of the first message to come once joined. */
  welcome(socket: RawSocket, bytes: Uint8Array): number | undefined;
  /** Counts the messages in a frame after the join; `range` where messages are numbered. */
  read(head: Uint8Array, tail: Uint8Array, length: number): Messages | undefined;
  /** Answers what is no message, such as a heartbeat. */
  other?(socket: RawSocket, head: Uint8Array): void;
  /** Sends the message of that number; absent where sends are acknowledged, see Senders. */
  send?(socket: RawSocket, room: string, seq: number): void;
}

/** What a frame brings. */
export interface Messages {
  count: number;
  range?: { first: number; last: number };
}

/** The names of the dialects. */
export type DialectName = "confab" | "confab-signals" | "ws" | "socket.io" | "mqtt";

function numbered(head: Uint8Array, tail: Uint8Array): Messages | undefined {
  const range = eventRange(head, tail);
  return range && { count: range.last - range.first + 1, range };
}

/** A message as long as an event of Confab's, and with its number at both ends. */
export function peerMessage(seq: number): string {
  return `{"type":"event","room":"01900000-0000-7000-8000-000000000000","seq":${seq},` +
    `"text":"${"x".repeat(370)}","updatedSeq":${seq}}`;
}

const [ZERO, TWO, FOUR, BRACKET] = [48, 50, 52, 91];
const decoder = new TextDecoder();

function confabWelcome(_: RawSocket, bytes: Uint8Array): number | undefined {
  for (const frame of serverFrames(bytes)) {
    if (frame.type === "error") throw new Error(`Joining failed: ${frame.code}`);
    if (frame.type === "ok") return Number(frame.head) + 1;
  }
}

function confabBegin(socket: RawSocket, room: string): void {
  socket.send(JSON.stringify({ type: "join", id: "join", room }));
}

/** The number of signals in a frame from its length: all of one room and of one kind are as long. */
function signals(): Dialect["read"] {
  const SIGNAL = '{"type":"signal"';
  let each = 0;
  return (head, _tail, length) => {
    const text = decoder.decode(head.subarray(0, SIGNAL.length + 1));
    if (!text.includes(SIGNAL)) return undefined;
    if (text.startsWith("{")) each = length;
    return { count: head[0] === BRACKET ? Math.round((length - 1) / (each + 1)) : 1 };
  };
}

/** The dialects by name; one that keeps something is made anew for each set of sockets. */
export const DIALECTS: Record<DialectName, () => Dialect> = {
  "confab": () => ({
    upgrade: confabSocket,
    begin: confabBegin,
    welcome: confabWelcome,
    read: numbered,
  }),
  "confab-signals": () => ({
    upgrade: confabSocket,
    begin: confabBegin,
    welcome: confabWelcome,
    read: signals(),
    send: (socket, room) => socket.send(`{"type":"typing","room":"${room}"}`),
  }),
  "ws": () => ({
    upgrade: () => ({ path: "/" }),
    joined: 1,
    begin: () => {},
    welcome: () => undefined,
    read: numbered,
    send: (socket, _, seq) => socket.send(peerMessage(seq)),
  }),
  "socket.io": () => ({
    upgrade: () => ({ path: "/socket.io/?EIO=4&transport=websocket" }),
    begin: () => {},
    welcome(socket, bytes) {
      if (bytes[0] === ZERO) socket.send("40");
      return bytes[0] === FOUR && bytes[1] === ZERO ? 1 : undefined;
    },
    read: numbered,
    other(socket, head) {
      if (head[0] === TWO && head.length === 1) socket.send("3");
    },
    send: (socket, _, seq) => socket.send(`42["m",${peerMessage(seq)}]`),
  }),
  "mqtt": () => ({
    upgrade: () => ({ path: "/mqtt", protocol: "mqtt" }),
    begin: (socket) => socket.sendBytes(mqttConnect(crypto.randomUUID().slice(0, 20))),
    welcome(socket, bytes) {
      if (bytes[0] === 0x20) socket.sendBytes(mqttSubscribe("room"));
      return bytes[0] === 0x90 ? 1 : undefined;
    },
    read: numbered,
    send: (socket, _, seq) => socket.sendBytes(mqttPublish("room", peerMessage(seq))),
  }),
};
