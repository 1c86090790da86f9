import { type Dialect, type DialectName, DIALECTS } from "./dialects.ts";
import { inParallel } from "./in_parallel.ts";
import { RawSocket } from "./raw_socket.ts";
import { serverFrames } from "./server_frames.ts";

/** Sockets of Confab that read every frame in full; the others read its two ends. */
const READ_IN_FULL = 4;
const CONNECTING = 32;

/** A socket that is in the room. */
interface Member {
  socket: RawSocket;
  /** The seq of the message that must come next. */
  next: number;
}

/** What gets messages: a load counts them, and sees whether something is missing. */
export interface Receiving {
  readonly size: number;
  /** Messages that came, summed over all sockets. */
  readonly delivered: number;
  /** Messages that were missing or came twice, summed over all sockets. */
  readonly wrong: number;
  /** Told of the messages that came in one frame, where they are numbered. */
  onEvents: (first: number, last: number) => void;
}

/** Sockets in one room that count what they get, and see whether something is missing. */
export class Receivers implements Receiving {
  delivered = 0;
  wrong = 0;
  onEvents: (first: number, last: number) => void = () => {};
  /** Close codes, or the reason of the end, by how many sockets ended so. */
  readonly ended: Record<string, number> = {};
  readonly #members = new Set<Member>();

  /** `lost` is told when a socket ends; it stays out of what is counted from then on. */
  constructor(private readonly lost: (why: string) => void) {}

  get size(): number {
    return this.#members.size;
  }

  /** The sockets, in no promised order. */
  get sockets(): RawSocket[] {
    return [...this.#members].map(({ socket }) => socket);
  }

  /** Sockets that have got everything up to `seq`. */
  upTo(seq: number): number {
    return [...this.#members].filter(({ next }) => next > seq).length;
  }

  /** Opens a socket for each token and joins the room with it. */
  async join(name: DialectName, port: number, room: string, tokens: string[]): Promise<void> {
    const dialect = DIALECTS[name]();
    await inParallel(CONNECTING, tokens, (token, i) => {
      const inFull = name === "confab" && i < READ_IN_FULL;
      return this.#open(dialect, port, room, token, inFull);
    });
  }

  close(): void {
    for (const { socket } of this.#members) socket.close();
    this.#members.clear();
  }

  async #open(dialect: Dialect, port: number, room: string, token: string, inFull: boolean) {
    const { promise: joined, resolve, reject } = Promise.withResolvers<number>();
    let member: Member | undefined;
    const frame = (head: Uint8Array, tail: Uint8Array, length: number) => {
      if (member === undefined) {
        try {
          const first = dialect.welcome(socket, head);
          if (first !== undefined) enter(first);
        } catch (error) {
          reject(error);
        }
      } else if (inFull) {
        for (const one of serverFrames(head)) {
          if (one.type === "event") this.#take(member, 1, { first: one.seq, last: one.seq });
        }
      } else {
        const messages = dialect.read(head, tail, length);
        if (messages === undefined) dialect.other?.(socket, head);
        else this.#take(member, messages.count, messages.range);
      }
    };
    const enter = (next: number) => {
      this.#members.add(member = { socket, next });
      resolve(next);
    };
    const lost = (reason: string) => {
      this.ended[reason] = (this.ended[reason] ?? 0) + 1;
      if (member !== undefined) this.#members.delete(member);
      reject(new Error(`A receiver was closed: ${reason}`));
      this.lost(reason);
    };
    const options = { ...dialect.upgrade(token), port, frame, lost, cheap: !inFull };
    const socket = await RawSocket.open(options);
    dialect.begin(socket, room);
    if (dialect.joined !== undefined) enter(dialect.joined);
    await joined;
  }

  #take(member: Member, count: number, range?: { first: number; last: number }): void {
    this.delivered += count;
    if (range === undefined) return this.onEvents(0, 0);
    const { first, last } = range;
    if (first !== member.next || last < first) this.wrong++;
    member.next = last + 1;
    this.onEvents(first, last);
  }
}
