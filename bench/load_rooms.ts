import { atRate } from "./at_rate.ts";
import { inParallel } from "./in_parallel.ts";
import { Latencies } from "./latencies.ts";
import { RawSocket } from "./raw_socket.ts";
import { confabSocket, serverFrames } from "./server_frames.ts";
import { TEXT } from "./senders.ts";
import { until } from "../testing/until.ts";

/** Somebody in a room of a few. */
export interface Seat {
  room: string;
  token: string;
}

/** Everybody says something in turn, at a fixed rate over all rooms. */
export interface ChatterJob {
  do: "chatter";
  perSecond: number;
  ms: number;
}

/** What an open loop over many rooms saw; times run from when a message was due. */
export interface Chatter {
  messages: number;
  delivered: number;
  /** Messages that came out of order, twice, or not at all. */
  wrong: number;
  p50Ms: number;
  p99Ms: number;
}

const CONNECTING = 32;

interface Person extends Seat {
  socket: RawSocket;
  next: number;
}

/** Many rooms of a few people each, who all send and get what is sent. */
export class Rooms {
  readonly #people: Person[] = [];
  readonly #sizes = new Map<string, number>();
  /** When a message was due, by its clientId until it is acknowledged, then by room and seq. */
  readonly #due = new Map<string, number>();
  #arrivals: { key: string; at: number }[] = [];
  #wrong = 0;
  #sent = 0;

  /** `failed` is told when a socket ends or something is refused. */
  constructor(private readonly failed: (why: string) => void) {}

  /** Everybody connects and joins. */
  async open(port: number, seats: Seat[]): Promise<void> {
    await inParallel(CONNECTING, seats, async (seat, i) => {
      const joined = Promise.withResolvers<void>();
      const frame = (bytes: Uint8Array) => this.#take(this.#people[i]!, bytes, joined.resolve);
      const lost = (reason: string) => this.failed(`A socket was closed: ${reason}`);
      const socket = await RawSocket.open({ ...confabSocket(seat.token), port, frame, lost });
      this.#people[i] = { ...seat, socket, next: 0 };
      this.#sizes.set(seat.room, (this.#sizes.get(seat.room) ?? 0) + 1);
      socket.send(JSON.stringify({ type: "join", id: "join", room: seat.room }));
      await joined.promise;
    });
  }

  async chatter({ perSecond, ms }: ChatterJob): Promise<Chatter> {
    this.#arrivals = [];
    this.#due.clear();
    const wrong = this.#wrong;
    const messages = Math.round(perSecond * ms / 1000);
    let expected = 0;
    // A stride without a common factor visits all rooms, and everybody in them, in turn.
    await atRate(messages, perSecond, (_, at) => {
      const { room, socket } = this.#people[this.#sent++ * 7919 % this.#people.length]!;
      const id = `${this.#sent}-${performance.timeOrigin}`;
      this.#due.set(id, at);
      expected += this.#sizes.get(room)!;
      socket.send(JSON.stringify({ type: "send", id, room, clientId: id, text: TEXT }));
    });
    const all = () => this.#arrivals.length >= expected;
    await until("everything arrived", all, 20_000).catch(() => {});
    const latencies = new Latencies();
    for (const { key, at } of this.#arrivals) latencies.add(at - this.#due.get(key)!);
    return {
      messages,
      delivered: this.#arrivals.length,
      wrong: this.#wrong - wrong + expected - this.#arrivals.length,
      p50Ms: latencies.percentile(50),
      p99Ms: latencies.percentile(99),
    };
  }

  close(): void {
    for (const { socket } of this.#people.splice(0)) socket.close();
  }

  #take(person: Person, bytes: Uint8Array, joined: () => void): void {
    const at = performance.now();
    for (const frame of serverFrames(bytes)) {
      if (frame.type === "error") this.failed(`Something was refused: ${frame.code}`);
      else if (frame.type === "event") {
        if (frame.seq !== person.next) this.#wrong++;
        person.next = frame.seq + 1;
        this.#arrivals.push({ key: `${frame.room} ${frame.seq}`, at });
      } else if (frame.type === "ok" && frame.id === "join") {
        person.next = Number(frame.head) + 1;
        joined();
      } else if (frame.type === "ok") {
        this.#due.set(`${person.room} ${frame.seq}`, this.#due.get(frame.id)!);
        this.#due.delete(frame.id);
      }
    }
  }
}
