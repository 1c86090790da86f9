import { type Dialect, type DialectName, DIALECTS } from "./dialects.ts";
import { inParallel } from "./in_parallel.ts";
import { RawSocket } from "./raw_socket.ts";
import { confabSocket, serverFrames } from "./server_frames.ts";

/** 64 characters, a usual length of a chat message. */
export const TEXT = "The quick brown fox jumps over the lazy dog, and then once more.";
const CONNECTING = 32;

/** What sends messages. */
export interface Sending {
  /** Sends without an answer yet. */
  readonly waiting: number;
  /** Sends one message with the socket of that number; `acked` is called with its seq. */
  send(socket: number, room: string, acked: (seq: number) => void): void;
}

/** Sockets of Confab that send and are in no room, so that they get answers only. */
export class Senders implements Sending {
  /** Refused sends by error code. */
  readonly refused: Record<string, number> = {};
  readonly #sockets: RawSocket[] = [];
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  readonly #waiting = new Map<string, (seq: number) => void>();
  #sent = 0;
  #text = TEXT;

  /** `failed` is told when a socket ends or a send is refused. */
  constructor(private readonly failed: (why: string) => void) {}

  get size(): number {
    return this.#sockets.length;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Opens a socket for each token, in that order; their messages are `texts` usual ones long. */
  async open(port: number, tokens: string[], texts = 1): Promise<void> {
    this.#text = TEXT.repeat(texts);
    await inParallel(CONNECTING, tokens, async (token, i) => {
      const frame = (bytes: Uint8Array) => this.#answer(bytes);
      const lost = (reason: string) => this.failed(`A sender was closed: ${reason}`);
      this.#sockets[i] = await RawSocket.open({ ...confabSocket(token), port, frame, lost });
    });
  }

  send(socket: number, room: string, acked: (seq: number) => void): void {
    const id = `${this.#prefix}-${this.#sent++}`;
    this.#waiting.set(id, acked);
    const frame = { type: "send", id, room, clientId: id, text: this.#text };
    this.#sockets[socket % this.#sockets.length]!.send(JSON.stringify(frame));
  }

  /** Expects no more answers. */
  forget(): void {
    this.#waiting.clear();
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #answer(bytes: Uint8Array): void {
    for (const frame of serverFrames(bytes)) {
      if (frame.type === "error") {
        this.refused[frame.code] = (this.refused[frame.code] ?? 0) + 1;
        if (frame.id !== undefined) this.#waiting.delete(frame.id);
        this.failed(`A send was refused: ${frame.code}`);
      }
      if (frame.type !== "ok") continue;
      const acked = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      acked?.(Number(frame.seq));
    }
  }
}

/**
 * Sends where nothing is acknowledged, with sockets that receive as well. Only one of them sends,
 * so that its numbers are the order of the messages.
 */
export class UnackedSender implements Sending {
  readonly waiting = 0;
  readonly #dialect: Dialect;
  #seq = 0;

  constructor(name: DialectName, private readonly socket: RawSocket) {
    this.#dialect = DIALECTS[name]();
  }

  send(_: number, room: string, acked: (seq: number) => void): void {
    acked(++this.#seq);
    this.#dialect.send!(this.socket, room, this.#seq);
  }
}
