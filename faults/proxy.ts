import { listenBelowEphemeral } from "./proxy_listener.ts";
import { ProxyConnection, type Treatment, type Way } from "./proxy_connection.ts";
import type { Random } from "./random.ts";
import type { LinkEnd, LinkHandle } from "./world.ts";

/** What a fault proxy joins. */
export interface FaultProxyOptions {
  /** Such as `web1->postgres`. */
  name: string;
  from: LinkEnd;
  to: LinkEnd;
  /** The port on 127.0.0.1 that new connections go to; it may change. */
  target: () => number;
}

/**
 * A TCP proxy on 127.0.0.1 whose links can be broken. A reader who stops reading stops the sender:
 * the proxy keeps at most 288 KiB for each direction of a connection.
 */
export class FaultProxy implements LinkHandle, AsyncDisposable {
  readonly name: string;
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  readonly port: number;
  readonly traffic = { there: 0, back: 0, delayed: 0, refused: 0 };
  readonly #listener: Deno.TcpListener;
  readonly #target: () => number;
  readonly #connections = new Map<ProxyConnection, Promise<void>>();
  readonly #treatment: Record<Way, Treatment> = { there: healthy(), back: healthy() };
  #refusing = false;
  readonly #accepting: Promise<void>;

  constructor({ name, from, to, target }: FaultProxyOptions) {
    this.name = name;
    this.from = from;
    this.to = to;
    this.#target = target;
    this.#listener = listenBelowEphemeral();
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept();
  }

  get open(): number {
    return this.#connections.size;
  }

  get held(): number {
    let sum = 0;
    for (const connection of this.#connections.keys()) sum += connection.held;
    return sum;
  }

  cut(): void {
    this.#refusing = true;
    this.drop();
  }

  drop(): void {
    for (const connection of this.#connections.keys()) connection.close();
  }

  blackHole(): void {
    this.#treat({ there: { held: true }, back: { held: true } });
  }

  halfOpen(carries: "there" | "back"): void {
    this.#treat({ there: { held: carries === "back" }, back: { held: carries === "there" } });
  }

  delay(ms: number, jitterMs: number, random: Random): void {
    const delayMs = () => ms + random.next() * jitterMs;
    this.#treat({ there: { delayMs }, back: { delayMs } });
  }

  slow(bytesPerSecond: number): void {
    this.#treat({ there: { bytesPerSecond }, back: { bytesPerSecond } });
  }

  /** Chunks that a delay still keeps leave when their time has come. */
  heal(): void {
    this.#refusing = false;
    Object.assign(this.#treatment.there, healthy());
    Object.assign(this.#treatment.back, healthy());
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
    await Promise.all(this.#connections.values());
  }

  #treat(faults: Record<Way, Partial<Treatment>>): void {
    Object.assign(this.#treatment.there, faults.there);
    Object.assign(this.#treatment.back, faults.back);
    this.#wake();
  }

  #wake(): void {
    for (const connection of this.#connections.keys()) connection.wake();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      if (this.#refusing) {
        this.traffic.refused++;
        near.close();
        continue;
      }
      near.setNoDelay();
      const connection = new ProxyConnection(near, {
        treatment: this.#treatment,
        carried: (way, bytes) => this.traffic[way] += bytes,
        delayed: () => this.traffic.delayed++,
      });
      const carried = connection.carry(this.#target)
        .finally(() => this.#connections.delete(connection));
      this.#connections.set(connection, carried);
    }
  }
}

function healthy(): Treatment {
  return { held: false, delayMs: () => 0, bytesPerSecond: undefined };
}
