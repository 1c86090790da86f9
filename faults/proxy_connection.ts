import { ProxyQueue } from "./proxy_queue.ts";

/** The most that one direction of one connection keeps in memory, besides one read. */
const MAX_HELD_BYTES = 256 * 1024;
const READ_BYTES = 32 * 1024;
/** Pieces a second in which a slow link carries. */
const SLOW_PIECES = 20;

/** What a proxy does to one direction of its connections. */
export interface Treatment {
  /** Nothing leaves, also no end of the stream. */
  held: boolean;
  /** Milliseconds that the next chunk is kept. */
  delayMs(): number;
  /** Undefined: as fast as it goes. */
  bytesPerSecond: number | undefined;
}

/** What a proxy lets its connections know and count. */
export interface ConnectionContext {
  treatment: Record<Way, Treatment>;
  carried(way: Way, bytes: number): void;
  delayed(): void;
}

/** `there` leads from the client to the target. */
export type Way = "there" | "back";

/** Two sockets and what is on its way between them. */
export class ProxyConnection {
  readonly #context: ConnectionContext;
  readonly #near: Deno.TcpConn;
  #far: Deno.TcpConn | undefined;
  readonly #queues = {
    there: new ProxyQueue(MAX_HELD_BYTES),
    back: new ProxyQueue(MAX_HELD_BYTES),
  };
  #closed = false;

  constructor(near: Deno.TcpConn, context: ConnectionContext) {
    this.#near = near;
    this.#context = context;
  }

  /** Bytes that wait here. */
  get held(): number {
    return this.#queues.there.held + this.#queues.back.held;
  }

  /**
   * Reads and writes until both ends are done or one is gone. `target` is asked once something may
   * pass: a black hole swallows the handshake too.
   */
  async carry(target: () => number): Promise<void> {
    // When an end is gone, or the target refuses, then so is the other one.
    const orClose = (work: Promise<void>) => work.catch(() => this.close());
    const reading = this.#read("there", this.#near);
    await orClose(this.#connect(target));
    const far = this.#far;
    if (far !== undefined && !this.#closed) {
      await Promise.all([
        orClose(this.#write("there", far)),
        this.#read("back", far),
        orClose(this.#write("back", this.#near)),
      ]);
    }
    this.close();
    await reading;
  }

  /** Looks again at how its bytes are treated. */
  wake(): void {
    this.#queues.there.wake();
    this.#queues.back.wake();
  }

  /** Closes both ends; what is on its way is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const queue of Object.values(this.#queues)) queue.clear();
    this.#near.close();
    this.#far?.close();
  }

  async #connect(target: () => number): Promise<void> {
    await this.#passable("there");
    if (this.#closed) return;
    const far = await Deno.connect({ hostname: "127.0.0.1", port: target() });
    if (this.#closed) return far.close();
    far.setNoDelay();
    this.#far = far;
  }

  /** Never rejects: what a broken end had sent before is still delivered. */
  async #read(way: Way, from: Deno.TcpConn): Promise<void> {
    const queue = this.#queues[way];
    const buffer = new Uint8Array(READ_BYTES);
    let lastDue = 0;
    try {
      for (;;) {
        const length = await from.read(buffer);
        if (length === null || this.#closed) break;
        const delayMs = this.#context.treatment[way].delayMs();
        if (delayMs > 0) this.#context.delayed();
        lastDue = Math.max(lastDue, performance.now() + delayMs);
        await queue.push(buffer.slice(0, length), lastDue);
      }
    } catch {
      // Reset by the peer, or closed by us.
    }
    queue.end();
  }

  async #write(way: Way, to: Deno.TcpConn): Promise<void> {
    const queue = this.#queues[way];
    for (;;) {
      await this.#passable(way);
      if (this.#closed) return;
      const first = queue.first;
      if (first === undefined) {
        if (queue.drained) break;
        await queue.changed;
        continue;
      }
      const waitMs = first.due - performance.now();
      if (waitMs > 0) {
        await this.#wait(way, waitMs);
        continue;
      }
      await this.#writeSome(way, to, first.bytes);
    }
    await to.closeWrite();
  }

  async #writeSome(way: Way, to: Deno.TcpConn, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { bytesPerSecond } = this.#context.treatment[way];
    const piece = bytesPerSecond === undefined
      ? bytes
      : bytes.subarray(0, Math.max(1, Math.floor(bytesPerSecond / SLOW_PIECES)));
    const written = await to.write(piece);
    if (this.#closed) return;
    this.#queues[way].shift(written);
    this.#context.carried(way, written);
    if (bytesPerSecond !== undefined) {
      this.#context.delayed();
      await this.#pace(way, 1000 * written / bytesPerSecond);
    }
  }

  async #passable(way: Way): Promise<void> {
    while (this.#context.treatment[way].held && !this.#closed) await this.#queues[way].changed;
  }

  /** Waits, unless the link is healed or closed meanwhile. */
  async #pace(way: Way, ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0; left = until - performance.now()) {
      if (this.#closed || this.#context.treatment[way].bytesPerSecond === undefined) return;
      await this.#wait(way, left);
    }
  }

  async #wait(way: Way, ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([late, this.#queues[way].changed]);
    clearTimeout(timer);
  }
}
