import type { Principal } from "../auth/principal.ts";
import type { Revocation } from "../bus/mod.ts";
import { type CloseName, ConfabError } from "../errors.ts";
import { overloaded } from "./admission.ts";

/** A live connection of somebody: a WebSocket or an SSE stream. */
export interface Connection {
  /** Who it belongs to now; renewing the access changes session and expiry. */
  readonly principal: Principal;
  /** Unix milliseconds when the principal was last authenticated. */
  readonly since: number;
  /** Bytes that were written, have not left yet and lie outside the heap. */
  readonly nativeBytes: number;
  /** Ends it, leaving its rooms at once; ending it again changes nothing. */
  close(why: CloseName, retryAfter?: number): void;
}

/** How many connections one node carries. */
export interface ConnectionLimits {
  sockets: number;
  socketsPerPrincipal: number;
  socketsPerAddress: number;
  /** Bytes that may wait for one connection. */
  outboxBytes: number;
}

/** Bytes that may wait for one connection while memory is short. */
const SHORT_OUTBOX_BYTES = 65_536;

/** What one connection takes outside the heap, with nothing buffered. */
const CONNECTION_BYTES = 20_480;

/** A place for one connection, taken before the upgrade. */
export interface Slot {
  /** `leave` is called when the node leaves before the place is filled or given back. */
  opening(leave: () => void): void;
  /** Fills the place, unless it was given back: from now on revocations reach the connection. */
  occupy(connection: Connection): void;
  /** Gives the place back; giving it back again changes nothing. */
  release(): void;
}

/** The connections of this node: counts them, ends those whose access has ended. */
export class Connections {
  readonly #live = new Set<Connection>();
  readonly #opening = new Set<() => void>();
  readonly #perPrincipal = new Counts();
  readonly #perAddress = new Counts();
  #taken = 0;
  #draining = false;

  /** `memoryIsShort` says whether those who are slow must go, so that the others can stay. */
  constructor(
    private readonly limits: ConnectionLimits,
    private readonly memoryIsShort: () => boolean = () => false,
  ) {}

  /** Connections that are open or opening. */
  get size(): number {
    return this.#taken;
  }

  /** Bytes outside the heap that all of them take. */
  get nativeBytes(): number {
    let bytes = this.#taken * CONNECTION_BYTES;
    for (const { nativeBytes } of this.#live) bytes += nativeBytes;
    return bytes;
  }

  /** Bytes that may wait for one connection now; one with more is cut off, and comes back. */
  get outboxBytes(): number {
    const { outboxBytes } = this.limits;
    return this.memoryIsShort() ? Math.min(outboxBytes, SHORT_OUTBOX_BYTES) : outboxBytes;
  }

  /** Takes a place. Throws `restarting`, `overloaded` or `rate_limited`, each with `retryAfter`. */
  admit(principal: string, address: string): Slot {
    if (this.#draining) throw new ConfabError("restarting");
    if (this.#taken >= this.limits.sockets) throw overloaded();
    if (this.#perPrincipal.get(principal) >= this.limits.socketsPerPrincipal) {
      throw new ConfabError("rate_limited", "Too many connections of this account", {
        retryAfter: 5,
      });
    }
    if (this.#perAddress.get(address) >= this.limits.socketsPerAddress) {
      throw new ConfabError("rate_limited", "Too many connections from this address", {
        retryAfter: 5,
      });
    }
    return this.#take(principal, address);
  }

  /** Ends the connections that a revocation concerns. */
  revoked(revocation: Revocation): void {
    if ("device" in revocation) return;
    for (const connection of [...this.#live]) {
      const { id, session } = connection.principal;
      const hit = "session" in revocation
        ? session === revocation.session
        : id === revocation.principal;
      if (hit) connection.close("unauthenticated");
    }
  }

  /** Ends the connections that `hasEnded` says so of. */
  enforce(hasEnded: (connection: Connection) => boolean): void {
    for (const connection of [...this.#live]) {
      if (hasEnded(connection)) connection.close("unauthenticated");
    }
  }

  /** Admits nobody any more and asks everybody to come back, spread over `spreadSeconds`. */
  drain(spreadSeconds = 3): void {
    this.#draining = true;
    for (const connection of [...this.#live]) {
      connection.close("restarting", Math.round(Math.random() * spreadSeconds * 1000) / 1000);
    }
    for (const leave of [...this.#opening]) leave();
  }

  #take(principal: string, address: string): Slot {
    let connection: Connection | undefined;
    let opening: (() => void) | undefined;
    let released = false;
    const opened = () => {
      if (opening !== undefined) this.#opening.delete(opening);
    };
    this.#taken++;
    this.#perPrincipal.add(principal, 1);
    this.#perAddress.add(address, 1);
    return {
      opening: (leave) => {
        if (released) return;
        opening = leave;
        this.#opening.add(leave);
      },
      occupy: (occupant) => {
        opened();
        if (released) return;
        connection = occupant;
        this.#live.add(occupant);
        if (this.#draining) occupant.close("restarting", 1);
      },
      release: () => {
        if (released) return;
        released = true;
        opened();
        this.#taken--;
        this.#perPrincipal.add(principal, -1);
        this.#perAddress.add(address, -1);
        if (connection !== undefined) this.#live.delete(connection);
      },
    };
  }
}

/** Counters by name that forget what is zero. */
class Counts {
  readonly #counts = new Map<string, number>();

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, by: number): void {
    const count = this.get(name) + by;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}
