import type { ServerFrame } from "../lib/protocol.ts";
import { inParallel } from "./in_parallel.ts";
import { RawSocket } from "./raw_socket.ts";

/** 64 characters, a usual length of a chat message. */
export const TEXT = "The quick brown fox jumps over the lazy dog, and then once more.";
const CONNECTING = 32;
const decoder = new TextDecoder();

/** Sockets that send and are in no room, so that they get answers only. */
export class Senders {
  readonly #sockets: RawSocket[] = [];
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  readonly #waiting = new Map<string, (seq: number) => void>();
  #sent = 0;

  /** `failed` is told when a socket ends or a send is refused. */
  constructor(private readonly failed: (why: string) => void) {}

  get size(): number {
    return this.#sockets.length;
  }

  /** Sends without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Opens a socket for each token, in that order. */
  async open(port: number, tokens: string[]): Promise<void> {
    await inParallel(CONNECTING, tokens, async (token, i) => {
      const frame = (bytes: Uint8Array) => this.#answer(bytes);
      const lost = (reason: string) => this.failed(`A sender was closed: ${reason}`);
      this.#sockets[i] = await RawSocket.open({ port, token, frame, lost });
    });
  }

  /** Sends one message with the socket of that number; `acked` is called with its seq. */
  send(socket: number, room: string, acked: (seq: number) => void): void {
    const id = `${this.#prefix}-${this.#sent++}`;
    this.#waiting.set(id, acked);
    const frame = { type: "send", id, room, clientId: id, text: TEXT };
    this.#sockets[socket % this.#sockets.length]!.send(JSON.stringify(frame));
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #answer(bytes: Uint8Array): void {
    const value = JSON.parse(decoder.decode(bytes));
    for (const frame of (Array.isArray(value) ? value : [value]) as ServerFrame[]) {
      if (frame.type === "error") this.failed(`A send failed: ${frame.code}`);
      if (frame.type !== "ok") continue;
      const acked = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      acked?.(Number(frame.seq));
    }
  }
}
