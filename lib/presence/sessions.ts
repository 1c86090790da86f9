import type { PrincipalId } from "../protocol.ts";
import { type Presence, PRESENCE_BATCH, type PresenceSession } from "./mod.ts";

/** What keeping sessions needs. */
export interface PresenceSessionsOptions {
  presence: Presence;
  /** Told who may have come or gone, on this node. */
  changed: (principals: PrincipalId[]) => void;
}

/** After the grace has passed, before the others are told to look. */
const MARGIN_MS = 100;
/** How long stop() waits for the store, in milliseconds. */
const STOP_MS = 500;

interface Leaving {
  principal: PrincipalId;
  dueMs: number;
}

/**
 * The sessions of this node, or of the devices that its bridge looks after: takes their leases, renews all of them three times in a lease, and lets
 * them go. One command carries up to 500 sessions and one is under way at a time, so what comes
 * meanwhile shares the next. Never fails and never waits: connections go on without presence.
 */
export class PresenceSessions {
  readonly #options: PresenceSessionsOptions;
  readonly #held = new Map<string, PresenceSession>();
  readonly #counts = new Map<PrincipalId, number>();
  /** Held here, and not known to be held in the store. */
  readonly #taking = new Set<string>();
  /** Ended here, and not known to be ended in the store; forgotten when the lease has ended it. */
  readonly #leaving = new Map<string, PresenceSession & { untilMs: number }>();
  /** Released, in the order in which their grace ends. */
  #graces: Leaving[] = [];
  #pumping: Promise<void> | undefined;
  #stopped = false;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PresenceSessionsOptions) {
    this.#options = options;
  }

  /** How many sessions this node holds. */
  get size(): number {
    return this.#held.size;
  }

  /** True while somebody has a session on this node. */
  has(principal: PrincipalId): boolean {
    return this.#counts.has(principal);
  }

  /** Begins a session; `session` is new. */
  open(principal: PrincipalId, session: string): void {
    if (this.#stopped) return;
    this.#held.set(session, { principal, session });
    this.#counts.set(principal, (this.#counts.get(principal) ?? 0) + 1);
    this.#taking.add(session);
    this.#renewal ??= this.#later();
    this.#pump();
  }

  /** Ends a session; ending it again, or one that never began, changes nothing. */
  close(session: string): void {
    const one = this.#held.get(session);
    if (one === undefined) return;
    this.#held.delete(session);
    const count = this.#counts.get(one.principal)! - 1;
    if (count === 0) this.#counts.delete(one.principal);
    else this.#counts.set(one.principal, count);
    // Even when nobody was told yet: a try to tell them may have worked without an answer.
    this.#taking.delete(session);
    const untilMs = performance.now() + this.#options.presence.times.leaseMs;
    this.#leaving.set(session, { ...one, untilMs });
    if (this.#held.size === 0) this.#renewal = void clearTimeout(this.#renewal);
    this.#pump();
  }

  /** Lets all sessions go and takes no more; resolves when the store knows, or does not answer. */
  async stop(): Promise<void> {
    for (const session of [...this.#held.keys()]) this.close(session);
    this.#stopped = true;
    this.#retry = void clearTimeout(this.#retry);
    this.#pump();
    let late;
    const deadline = new Promise<void>((resolve) => late = setTimeout(resolve, STOP_MS));
    await Promise.race([this.#pumping, deadline]);
    clearTimeout(late);
    for (const timer of [this.#renewal, this.#grace]) clearTimeout(timer);
  }

  /** Takes and renews nothing more; the leases stay, for another that holds them from now on. */
  abandon(): void {
    this.#stopped = true;
    for (const timer of [this.#renewal, this.#retry, this.#grace]) clearTimeout(timer);
    this.#held.clear();
    this.#counts.clear();
    this.#taking.clear();
    this.#leaving.clear();
  }

  #pump(): void {
    if (this.#retry !== undefined) return;
    this.#pumping ??= this.#run();
  }

  async #run(): Promise<void> {
    // What happens in this turn of the event loop travels together.
    await Promise.resolve();
    while (this.#taking.size > 0 || this.#leaving.size > 0) {
      const taken = await this.#take();
      // Also when that failed: who has gone must not wait, or gather here, for leases of others.
      const released = await this.#release();
      if (taken && released) continue;
      if (!this.#stopped) this.#again();
      break;
    }
    // In the turn of the last look: what comes after it must start the next run.
    this.#pumping = undefined;
  }

  #again(): void {
    const { leaseMs } = this.#options.presence.times;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, Math.min(2_000, leaseMs / 15) * (0.5 + Math.random()));
  }

  async #take(): Promise<boolean> {
    const names = [...this.#taking].slice(0, PRESENCE_BATCH);
    if (names.length === 0) return true;
    const sessions = names.map((name) => this.#held.get(name)!);
    const came = await this.#options.presence.hold(sessions);
    if (came === undefined) return false;
    for (const name of names) this.#taking.delete(name);
    if (came.length > 0) this.#options.changed(came);
    return true;
  }

  async #release(): Promise<boolean> {
    const now = performance.now();
    for (const [name, { untilMs }] of this.#leaving) {
      if (untilMs <= now) this.#leaving.delete(name);
    }
    const names = [...this.#leaving.keys()].slice(0, PRESENCE_BATCH);
    if (names.length === 0) return true;
    const sessions = names.map((name) => this.#leaving.get(name)!)
      .map(({ principal, session }) => ({ principal, session }));
    const last = this.#held.size === 0 && this.#leaving.size === names.length;
    if (!await this.#options.presence.release(sessions, last)) return false;
    for (const name of names) this.#leaving.delete(name);
    const dueMs = performance.now() + this.#options.presence.times.graceMs + MARGIN_MS;
    for (const { principal } of sessions) this.#graces.push({ principal, dueMs });
    this.#awaitGrace();
    return true;
  }

  #awaitGrace(): void {
    const first = this.#graces[0];
    if (first === undefined || this.#grace !== undefined || this.#stopped) return;
    this.#grace = setTimeout(() => {
      this.#grace = undefined;
      const now = performance.now();
      const over = this.#graces.findIndex(({ dueMs }) => dueMs > now);
      const past = this.#graces.splice(0, over === -1 ? this.#graces.length : over);
      const gone = new Set(past.map(({ principal }) => principal));
      for (const principal of gone) if (this.has(principal)) gone.delete(principal);
      if (gone.size > 0) this.#options.changed([...gone]);
      this.#awaitGrace();
    }, Math.max(0, first.dueMs - performance.now()));
  }

  #later(): ReturnType<typeof setTimeout> {
    const { leaseMs } = this.#options.presence.times;
    return setTimeout(() => {
      for (const session of this.#held.keys()) this.#taking.add(session);
      this.#renewal = this.#later();
      this.#pump();
    }, leaseMs / 3 * (0.8 + Math.random() * 0.4));
  }
}
