import { atRate } from "./at_rate.ts";
import { Latencies } from "./latencies.ts";
import type { Seat } from "./load_rooms.ts";
import { RawSocket, SocketRefused } from "./raw_socket.ts";
import { Senders } from "./senders.ts";
import { confabSocket, serverFrames } from "./server_frames.ts";
import { until } from "../testing/until.ts";

/** Connects everybody, at a random moment within `withinMs`. */
export interface RideJob {
  do: "ride";
  port: number;
  seats: Seat[];
  /** A token. */
  bystander: string;
  withinMs: number;
}

/** Cuts everybody off, lets them miss something, and lets them come back at once. */
export interface StormJob {
  do: "storm";
  /** Messages that each room gets meanwhile. */
  missed: number;
  /** Clients come back at a random moment within so many milliseconds, as the SDK has them do. */
  withinMs: number;
  /** Somebody who goes on sending to a room of their own: before the storm for so long. */
  bystander: { room: string; perSecond: number; beforeMs: number };
}

/** How the storm passed. */
export interface Storm {
  /** From the first attempt to when the last client had everything. */
  caughtUpMs: number;
  /** Clients that had everything within a minute. */
  caughtUp: number;
  /** Clients that were told to reload, at least once. */
  reloads: number;
  /** Attempts that were refused or failed, and made again. */
  retries: number;
  /** Messages that came out of order, twice, or not at all. */
  wrong: number;
  /** The bystander's acknowledgements before and meanwhile. */
  before: { p50Ms: number; p99Ms: number };
  meanwhile: { p50Ms: number; p99Ms: number };
}

const LIMIT_MS = 60_000;

interface Client extends Seat {
  next: number;
  epoch: string;
  socket: RawSocket | undefined;
}

/** The server took the connection and refused the join. */
class JoinRefused extends Error {
  override readonly name = "JoinRefused";
  readonly retryAfterMs: number | undefined;

  constructor(code: string, retryAfter: number | undefined) {
    super(code);
    if (retryAfter !== undefined) this.retryAfterMs = retryAfter * 1000;
  }
}

/** Clients that keep their cursors while they are gone. */
export class StormClients {
  #clients: Client[] = [];
  readonly #bystander: Senders;
  #port = 0;
  #wrong = 0;
  #retries = 0;
  #reloads = 0;

  /** `failed` is told when something happens that nobody wished. */
  constructor(private readonly failed: (why: string) => void) {
    this.#bystander = new Senders(failed);
  }

  /** Everybody connects and joins, and the bystander, who also sends what is missed. */
  async open({ port, seats, bystander, withinMs }: Omit<RideJob, "do">): Promise<void> {
    this.#port = port;
    await this.#bystander.open(port, [bystander]);
    this.#clients = seats.map((seat) => ({ ...seat, next: 0, epoch: "", socket: undefined }));
    const start = performance.now();
    await Promise.all(this.#clients.map((client) => this.#comeBack(client, withinMs, start)));
  }

  async storm({ missed, withinMs, bystander }: StormJob): Promise<Storm> {
    const before = await this.#send(bystander, bystander.beforeMs, () => false);
    for (const client of this.#clients) {
      client.socket?.close();
      client.socket = undefined;
    }
    const heads = await this.#missed(missed);
    [this.#wrong, this.#retries, this.#reloads] = [0, 0, 0];
    const has = ({ room, next }: Client) => next > heads.get(room)!;
    const caughtUp = () => this.#clients.filter(has).length;
    const start = performance.now();
    let endedAt = NaN;
    const back = (async () => {
      await Promise.all(this.#clients.map((client) => this.#comeBack(client, withinMs, start)));
      await until("everybody has everything", () => this.#clients.every(has), LIMIT_MS)
        .catch(() => {});
      endedAt = performance.now();
    })();
    const meanwhile = await this.#send(bystander, LIMIT_MS, () => !Number.isNaN(endedAt));
    await back;
    const lacking = this.#clients.length - caughtUp();
    return {
      caughtUpMs: endedAt - start,
      caughtUp: caughtUp(),
      reloads: this.#reloads,
      retries: this.#retries,
      wrong: this.#wrong + lacking,
      before,
      meanwhile,
    };
  }

  close(): void {
    this.#bystander.close();
    for (const { socket } of this.#clients.splice(0)) socket?.close();
  }

  async #comeBack(client: Client, withinMs: number, start: number): Promise<void> {
    let waitMs = Math.random() * withinMs;
    while (performance.now() - start < LIMIT_MS) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      try {
        return await this.#join(client);
      } catch (error) {
        this.#retries++;
        const asked = error instanceof SocketRefused || error instanceof JoinRefused
          ? error.retryAfterMs
          : undefined;
        waitMs = asked ?? 500 + Math.random() * 1000;
      }
    }
  }

  /** Joins, after the cursor when there is one. Throws when the server wants another attempt. */
  async #join(client: Client): Promise<void> {
    const joined = Promise.withResolvers<void>();
    const { room, token, epoch } = client;
    let current = true;
    const frame = (bytes: Uint8Array) => {
      for (const one of serverFrames(bytes)) {
        if (one.type === "error") joined.reject(new JoinRefused(one.code, one.retryAfter));
        else if (one.type === "event") {
          if (one.seq !== client.next) this.#wrong++;
          client.next = one.seq + 1;
        } else if (one.type === "ok") {
          if (one.recovered === false) this.#reloads++;
          if (one.recovered !== true) client.next = Number(one.head) + 1;
          client.epoch = String(one.epoch);
          joined.resolve();
        }
      }
    };
    const lost = (reason: string) => {
      joined.reject(new Error(reason));
      if (current && client.socket !== undefined) this.failed(`A client was closed: ${reason}`);
    };
    const socket = await RawSocket.open({ ...confabSocket(token), port: this.#port, frame, lost });
    const cursor = epoch === "" ? {} : { epoch, after: client.next - 1 };
    socket.send(JSON.stringify({ type: "join", id: "join", room, ...cursor }));
    try {
      await joined.promise;
      client.socket = socket;
    } catch (error) {
      current = false;
      socket.close();
      throw error;
    }
  }

  /** Sends what everybody misses; returns the heads of the rooms. */
  async #missed(missed: number): Promise<Map<string, number>> {
    const rooms = [...new Set(this.#clients.map(({ room }) => room))];
    const heads = new Map<string, number>();
    await Promise.all(rooms.map(async (room) => {
      for (let sent = 0; sent < missed; sent++) {
        const seq = await new Promise<number>((acked) => this.#bystander.send(0, room, acked));
        heads.set(room, seq);
      }
    }));
    return heads;
  }

  async #send(
    { room, perSecond }: StormJob["bystander"],
    ms: number,
    stop: () => boolean,
  ): Promise<{ p50Ms: number; p99Ms: number }> {
    const latencies = new Latencies();
    const messages = Math.round(ms * perSecond / 1000);
    await atRate(messages, perSecond, (_, at) => {
      this.#bystander.send(0, room, () => latencies.add(performance.now() - at));
    }, stop);
    await until("the bystander is answered", () => this.#bystander.waiting === 0, LIMIT_MS);
    return { p50Ms: latencies.percentile(50), p99Ms: latencies.percentile(99) };
  }
}
