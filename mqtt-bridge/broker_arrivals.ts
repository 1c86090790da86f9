import type { Socket } from "node:net";
import { addressKey } from "../lib/limits/address_key.ts";
import type { Log } from "../lib/log.ts";

/** Connections that may be there without a CONNECT. */
export interface ArrivalLimits {
  /** Of one client address. */
  perAddress: number;
  /** Of all of them. */
  total: number;
}

/** What is needed of a connection. */
export type ArrivingSocket = Pick<Socket, "remoteAddress" | "destroy" | "once">;

/** Between two lines of the log about connections that had to go. */
const TELL_EVERY_MS = 60_000;

/**
 * The connections that have not sent a CONNECT yet. When there are too many, the oldest one has to go
 * for the newest, among those of the same address first: who signs in at once gets through a flood
 * of those who never do.
 */
export class Arrivals {
  /** By address, each the oldest first. */
  readonly #waiting = new Map<ArrivingSocket, string>();
  readonly #byAddress = new Map<string, Set<ArrivingSocket>>();
  #toldAt = -Infinity;
  #untold = 0;

  constructor(private readonly limits: ArrivalLimits, private readonly log: Log) {}

  /** Connections without a CONNECT. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A connection has come. */
  come(socket: ArrivingSocket): void {
    const address = addressKey(socket.remoteAddress ?? "unknown");
    const others = this.#byAddress.get(address) ?? new Set();
    if (others.size >= this.limits.perAddress) this.#end(others.values().next().value!, address);
    else if (this.size >= this.limits.total) this.#end(this.#waiting.keys().next().value!, address);
    this.#waiting.set(socket, address);
    this.#byAddress.set(address, others.add(socket));
    socket.once("close", () => this.leave(socket));
  }

  /** It is signing in, or over. */
  leave(socket: ArrivingSocket): void {
    const address = this.#waiting.get(socket);
    if (address === undefined) return;
    this.#waiting.delete(socket);
    const others = this.#byAddress.get(address)!;
    others.delete(socket);
    if (others.size === 0) this.#byAddress.delete(address);
  }

  #end(socket: ArrivingSocket, address: string): void {
    this.leave(socket);
    socket.destroy();
    this.#untold++;
    if (performance.now() < this.#toldAt + TELL_EVERY_MS) return;
    this.log.warn("Too many MQTT connections sent no CONNECT: the oldest were ended", {
      ...{ code: "rate_limited", address, ended: this.#untold, ...this.limits },
    });
    this.#toldAt = performance.now();
    this.#untold = 0;
  }
}
