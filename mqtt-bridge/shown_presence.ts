import type { PrincipalId } from "../lib/protocol.ts";

/** Where the stays of devices are told to everybody else: see lib/presence/sessions.ts. */
export interface Stays {
  open(member: PrincipalId, stay: string): void;
  close(stay: string): void;
}

/** What showing devices needs; times in milliseconds. */
export interface ShownPresenceOptions {
  stays: Stays;
  /** A device is seen to be there so long after its stay was closed. */
  graceMs: number;
  /** Between two changes of an unstable device that can be seen. */
  dampMs: number;
  /** Told when a device has become unstable, or stable. */
  changed: (members: PrincipalId[]) => void;
  /** A clock that never runs backwards. */
  now?: () => number;
}

/** Whether a device is there by what it said: the name of its stay, or undefined. */
export interface Wanted {
  stay: string | undefined;
  /** Unstable for so long, unless told again; 0: it is stable. */
  unstableMs: number;
  /** As whom it is shown. */
  member: PrincipalId;
}

interface Shown extends Omit<Wanted, "unstableMs"> {
  /** It is unstable until then. */
  unstableUntil: number;
  open: string | undefined;
  /** When its last coming or going could be seen, or will be. */
  seenAt: number;
  /** The same of the change before. */
  before: number;
}

/** Added to the time for which a device is unstable: who looks then asks another clock. */
const MARGIN_MS = 1_000;

/**
 * Shows whether devices are there: at once while they are stable. The coming and going of unstable
 * ones shows at most once in `dampMs`, and then what is so by then; that they are unstable or stable
 * shows at once. Holds an entry for each device that is there or unstable, and for the others until
 * their going is old news.
 */
export class ShownPresence {
  readonly #devices = new Map<PrincipalId, Shown>();
  /** Those that tick() looks at. */
  readonly #pending = new Set<PrincipalId>();
  readonly #now: () => number;

  constructor(private readonly o: ShownPresenceOptions) {
    this.#now = o.now ?? (() => performance.now());
  }

  /** Devices that are there or were lately. */
  get size(): number {
    return this.#devices.size;
  }

  /** A device is there, or not. */
  show(device: PrincipalId, { stay, unstableMs, member }: Wanted): void {
    let shown = this.#devices.get(device);
    if (shown === undefined) {
      if (stay === undefined && unstableMs === 0) return;
      const never = { stay, member, open: undefined, seenAt: -Infinity, before: -Infinity };
      this.#devices.set(device, shown = { ...never, unstableUntil: -Infinity });
    }
    const isUnstable = unstableMs > 0;
    if (isUnstable !== shown.unstableUntil > -Infinity) this.o.changed([shown.member]);
    shown.stay = stay;
    shown.unstableUntil = isUnstable ? this.#now() + unstableMs + MARGIN_MS : -Infinity;
    this.#settle(shown);
    if (isUnstable || shown.open === undefined || stay !== shown.open) this.#pending.add(device);
  }

  /** To be called about once a second: shows what could not be shown before. */
  tick(): void {
    const now = this.#now();
    for (const device of this.#pending) {
      const shown = this.#devices.get(device)!;
      if (now >= shown.unstableUntil && shown.unstableUntil > -Infinity) {
        shown.unstableUntil = -Infinity;
        this.o.changed([shown.member]);
      }
      this.#settle(shown);
      if (shown.unstableUntil > now) continue;
      if (shown.open !== undefined && shown.open === shown.stay) this.#pending.delete(device);
      const over = shown.open === undefined && shown.stay === undefined;
      if (!over || now < shown.seenAt + this.o.dampMs) continue;
      this.#pending.delete(device);
      this.#devices.delete(device);
    }
  }

  #settle(shown: Shown): void {
    const { stay, open, unstableUntil, seenAt, member } = shown;
    const { stays, graceMs, dampMs } = this.o;
    if (stay === open) return;
    const now = this.#now();
    if (stay !== undefined && open !== undefined) {
      // Another stay without a pause: nobody sees it.
      stays.open(member, stay);
      stays.close(open);
    } else if (stay !== undefined && now < seenAt) {
      // Back before anybody saw that it was gone.
      shown.seenAt = shown.before;
      stays.open(member, stay);
    } else {
      const seen = stay === undefined ? now + graceMs : now;
      if (unstableUntil > -Infinity && seen < seenAt + dampMs) return;
      shown.before = seenAt;
      shown.seenAt = seen;
      if (stay !== undefined) stays.open(member, stay);
      else stays.close(open!);
    }
    shown.open = stay;
  }
}
