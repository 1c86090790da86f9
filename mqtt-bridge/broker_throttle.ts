import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Client } from "aedes";
import type { Parser } from "mqtt-packet";
import { TokenBucket } from "../lib/limits/memory.ts";
import type { Rate } from "../lib/limits/mod.ts";
import type { Log } from "../lib/log.ts";

/** What the embedded broker reads of one device, from all its connections together. */
export interface ReadLimits {
  /** All but acknowledgements of what the device was sent. */
  packets: Rate;
  bytes: Rate;
}

// What aedes 2.0.0-beta.1 does not declare of its clients.
interface Reader {
  _parser: Parser;
  /** Parsed packets that are being worked on; when the last is done, aedes reads again. */
  _parsingBatch: number;
  _nextBatch(): void;
  _keepaliveTimer: { refresh(): void } | null;
}

interface Allowance {
  packets: TokenBucket;
  bytes: TokenBucket;
  toldAt: number;
}

/** Read at once, some forty short publishes: then it is the turn of others. */
const SLICE_BYTES = 4096;
/** Below the shortest keepalive, which begins anew with each step of a long pause. */
const STEP_MS = 500;
const TELL_EVERY_MS = 600_000;
const MAX_DEVICES = 10_000;
const ACKNOWLEDGEMENTS = new Set(["puback", "pubrec", "pubrel", "pubcomp"]);

/**
 * Reads from the sockets of devices a little at a time, and not at all from one that has sent more
 * than it may, until it may again: what it sends then waits on its own side of the connection.
 */
export class ReadThrottle {
  readonly #sockets = new WeakMap<Socket, SlicedReads>();
  readonly #allowances = new Map<string, Allowance>();

  /** Without limits everybody may send as much as is read of them in turn. */
  constructor(private readonly limits: ReadLimits | undefined, private readonly log: Log) {}

  /** To be called before aedes has the socket. */
  add(socket: Socket): void {
    this.#sockets.set(socket, new SlicedReads(socket, this.limits));
  }

  /** To be called as soon as aedes has it. */
  follow(client: Client): void {
    this.#of(client)?.follow(client);
  }

  /** The client has signed in as this device. */
  limit(client: Client, device: string): void {
    if (this.limits === undefined) return;
    const { packets, bytes } = this.limits;
    const allowance = this.#allowances.get(device) ??
      { packets: new TokenBucket(packets), bytes: new TokenBucket(bytes), toldAt: -Infinity };
    this.#allowances.delete(device);
    this.#allowances.set(device, allowance);
    if (this.#allowances.size > MAX_DEVICES) {
      this.#allowances.delete(this.#allowances.keys().next().value!);
    }
    this.#of(client)?.limit(allowance, () => this.#tell(device, allowance));
  }

  /** The client is the bridge: it waits for nobody. */
  free(client: Client): void {
    this.#of(client)?.free();
  }

  #of(client: Client): SlicedReads | undefined {
    return this.#sockets.get(client.conn as Socket);
  }

  #tell(device: string, allowance: Allowance): void {
    if (performance.now() < allowance.toldAt + TELL_EVERY_MS) return;
    allowance.toldAt = performance.now();
    this.log.warn("A device sends too much: it is read more slowly", {
      ...{ code: "rate_limited", device },
    });
  }
}

/** One connection: replaces the `read()` that aedes calls. */
class SlicedReads {
  readonly #read: (size?: number) => Buffer | null;
  /** Read, but not paid for yet. */
  #packets = 0;
  #bytes = 0;
  #allowance: Allowance | undefined;
  #whole = false;
  /** The next slice is for later. */
  #rests = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #client: (Client & Reader) | undefined;
  #onPaused: () => void = () => {};

  constructor(private readonly socket: Socket, private readonly limits: ReadLimits | undefined) {
    this.#read = socket.read.bind(socket);
    // With 0 the stream itself calls it, to have more read; that takes nothing.
    socket.read = (size) => size === 0 ? this.#read(0) : this.#next();
    socket.once("close", () => clearTimeout(this.#timer));
  }

  follow(client: Client): void {
    this.#client = client as Client & Reader;
    this.#client._parser.prependListener("packet", ({ cmd }: { cmd: string }) => {
      if (!ACKNOWLEDGEMENTS.has(cmd)) this.#packets++;
    });
  }

  limit(allowance: Allowance, onPaused: () => void): void {
    this.#allowance = allowance;
    this.#onPaused = onPaused;
  }

  free(): void {
    this.#whole = true;
  }

  /** Aedes may call it within its parser, which must not be entered again: hence the rest. */
  #next(): Buffer | null {
    if (this.#rests || this.#timer !== undefined) return null;
    const waitMs = this.#pay();
    if (waitMs > 0) {
      this.#onPaused();
      this.#timer = setTimeout(() => this.#goOn(), Math.min(waitMs, STEP_MS));
      return null;
    }
    const there = this.socket.readableLength;
    if (there === 0) return this.#read();
    const size = this.#whole ? there : Math.min(there, SLICE_BYTES);
    this.#bytes += size;
    this.#rests = true;
    setImmediate(() => this.#goOn());
    return this.#read(size);
  }

  /** How long until what was read is paid for; 0: it is. */
  #pay(): number {
    const [allowance, limits] = [this.#allowance, this.limits];
    if (allowance === undefined || limits === undefined) return 0;
    const packets = allowance.packets.take(Math.min(this.#packets, limits.packets.burst));
    if (packets.granted) this.#packets = 0;
    const bytes = allowance.bytes.take(Math.min(this.#bytes, limits.bytes.burst));
    if (bytes.granted) this.#bytes = 0;
    return 1000 * Math.max(packets.retryAfter, bytes.retryAfter);
  }

  #goOn(): void {
    const client = this.#client;
    if (this.#timer !== undefined) client?._keepaliveTimer?.refresh();
    this.#timer = undefined;
    this.#rests = false;
    if (client !== undefined && !client.closed && client._parsingBatch <= 0) client._nextBatch();
  }
}
