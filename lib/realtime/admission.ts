import { ConfabError } from "../errors.ts";
import { TokenBucket } from "../limits/memory.ts";
import type { Counter } from "../metrics.ts";

/** Why a node takes no new connections. */
export type RefusalReason = "sockets" | "memory" | "event_loop" | "joins" | "connects";

/** From where on a node takes no new connections. */
export interface AdmissionLimits {
  sockets: number;
  /** New connections per second; several times that at once. */
  connectsPerSecond: number;
  /** Joins that may be under way; half of them is where new connections end. */
  joins: number;
  loopDelayMs: number;
}

/** How much a node has to do. */
export interface NodeLoad {
  /** Connections that are open or opening. */
  connections(): number;
  /** Joins under way. */
  joins(): number;
  /** How late the event loop is. */
  delayMs(): number;
  memoryIsShort(): boolean;
}

const BURST_SECONDS = 4;
/** When those who were refused come back, in seconds: spread, so that they are no herd. */
const RETRY_AFTER = { least: 2, most: 10 };

const SENTENCES: Record<RefusalReason, string> = {
  sockets: "This server has as many connections as it may",
  memory: "This server is short of memory",
  event_loop: "This server has too much to do",
  joins: "Too many clients are catching up on this server",
  connects: "Too many clients connect to this server at once",
};

/** The error of those who shall come back when there is less to do. */
export function overloaded(detail?: string): ConfabError {
  const { least, most } = RETRY_AFTER;
  const retryAfter = Math.round((least + Math.random() * (most - least)) * 1000) / 1000;
  return new ConfabError("overloaded", detail, { retryAfter });
}

/**
 * Decides whether a node takes another connection, before anything is spent on it: those who are
 * connected are served, those who come are told to come back.
 */
export class Admission {
  readonly #bucket: TokenBucket;
  #opening = 0;

  constructor(
    private readonly limits: AdmissionLimits,
    private readonly load: NodeLoad,
    private readonly refused: Counter,
  ) {
    const { connectsPerSecond } = limits;
    this.#bucket = new TokenBucket({
      perSecond: connectsPerSecond,
      burst: connectsPerSecond * BURST_SECONDS,
    });
  }

  /** Throws `overloaded`, with `retryAfter`, when the node would refuse a connection now. */
  check(): void {
    this.#take();
    this.#giveBack();
  }

  /**
   * Opens a connection: who it is and whether that one may is found out in `open`. When that
   * throws, it does not count as one. Throws `overloaded`, with `retryAfter`.
   */
  async during<T>(open: () => Promise<T>): Promise<T> {
    this.#take();
    this.#opening++;
    try {
      return await open();
    } catch (error) {
      this.#giveBack();
      throw error;
    } finally {
      this.#opening--;
    }
  }

  #take(): void {
    const reason = this.#reason();
    if (reason === undefined) return;
    this.refused.add([reason]);
    throw overloaded(SENTENCES[reason]);
  }

  #reason(): RefusalReason | undefined {
    const { limits, load } = this;
    if (load.connections() + this.#opening >= limits.sockets) return "sockets";
    if (load.memoryIsShort()) return "memory";
    if (load.delayMs() >= limits.loopDelayMs) return "event_loop";
    if (load.joins() >= Math.ceil(limits.joins / 2)) return "joins";
    return this.#bucket.take().granted ? undefined : "connects";
  }

  #giveBack(): void {
    this.#bucket.take(-1);
  }
}
