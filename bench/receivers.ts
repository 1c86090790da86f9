import type { ServerFrame } from "../lib/protocol.ts";
import { eventRange } from "./event_range.ts";
import { inParallel } from "./in_parallel.ts";
import { RawSocket } from "./raw_socket.ts";

/** Sockets that read every frame in full; the others read its two ends. */
const READ_IN_FULL = 4;
const CONNECTING = 32;
const decoder = new TextDecoder();

/** Sockets in one room that count what they get, and see whether something is missing. */
export class Receivers {
  /** Events that came, summed over all sockets. */
  delivered = 0;
  /** Events that were missing or came twice, summed over all sockets. */
  wrong = 0;
  /** Told of the events that came in one frame. */
  onEvents: (first: number, last: number) => void = () => {};
  readonly #sockets: RawSocket[] = [];

  /** `failed` is told when a socket ends or a join is refused. */
  constructor(private readonly failed: (why: string) => void) {}

  get size(): number {
    return this.#sockets.length;
  }

  /** Opens a socket for each token and joins the room with it. */
  async join(port: number, room: string, tokens: string[]): Promise<void> {
    await inParallel(CONNECTING, tokens, (token, i) => this.#open(port, room, token, i));
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  async #open(port: number, room: string, token: string, index: number): Promise<void> {
    const { promise: joined, resolve } = Promise.withResolvers<void>();
    let next: number | undefined;
    const inFull = index < READ_IN_FULL;
    const take = (first: number, last: number) => {
      this.delivered += last - first + 1;
      if (first !== next || last < first) this.wrong++;
      next = last + 1;
      this.onEvents(first, last);
    };
    const frame = (head: Uint8Array, tail: Uint8Array) => {
      if (next !== undefined && !inFull) {
        const range = eventRange(head, tail);
        if (range !== undefined) take(range.first, range.last);
        return;
      }
      for (const one of framesOf(head)) {
        if (one.type === "error") this.failed(`Joining failed: ${one.code}`);
        else if (one.type === "event") take(one.seq, one.seq);
        else if (one.type === "ok") {
          next = Number(one.head) + 1;
          resolve();
        }
      }
    };
    const lost = (reason: string) => this.failed(`A receiver was closed: ${reason}`);
    const socket = await RawSocket.open({ port, token, frame, cheap: !inFull, lost });
    this.#sockets.push(socket);
    socket.send(JSON.stringify({ type: "join", id: "join", room }));
    await joined;
  }
}

function framesOf(bytes: Uint8Array): ServerFrame[] {
  const value = JSON.parse(decoder.decode(bytes));
  return Array.isArray(value) ? value : [value];
}
