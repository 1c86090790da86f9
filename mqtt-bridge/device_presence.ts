import { backoffMs, pause } from "../lib/backoff.ts";
import { deviceStatus } from "../lib/device_schemas.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { PresenceSessions } from "../lib/presence/sessions.ts";
import type { PrincipalId } from "../lib/protocol.ts";
import { BacklogMarker } from "./backlog_marker.ts";
import type { Delivery } from "./delivery.ts";
import { HeardDevices } from "./heard_devices.ts";
import { decodeText, refusalOf } from "./payload.ts";
import type { DeviceStatuses, LeaseHold, OnlineDevice, Publisher, SaidStatus } from "./ports.ts";
import { ShownPresence } from "./shown_presence.ts";
import type { Topics } from "./topics.ts";

/** What the presence of devices works with; one per term of the lease. */
export interface DevicePresenceOptions {
  topics: Topics;
  statuses: DeviceStatuses;
  lease: LeaseHold;
  publisher: Publisher;
  log: Log;
  /** The term is over. */
  signal: AbortSignal;
  /** Milliseconds between two writes of what was heard. Default 15,000. */
  heardMs?: number | undefined;
  /** Milliseconds between two visible changes of an unstable device. Default 32,000. */
  dampMs?: number | undefined;
  /** What waited at the broker when the connection began has come. */
  onCaughtUp?(): void;
  /** The clock by which devices are heard, see HeardDevices. */
  now?: (() => number) | undefined;
}

const TICK_MS = 1_000;
const HEARD_MS = 15_000;
/** Between two markers when no device speaks. */
const IDLE_MS = 5_000;
/** More than two markers take when nothing waits. */
const BEHIND_MS = 12_000;
/** At most one in 30 s, and what a node's gathering of changes may take from it. */
const DAMP_MS = 32_000;
/** Devices read at once when a term begins. */
const PAGE = 2_000;
/** What a device says again within this costs no statement. */
const REPEAT_MS = 1_000;
const MAX_REPEATS = 20_000;

/**
 * Whether devices are there, as they say on their topic `status`: judged by the database, fenced by
 * session, and shown beside the people as long as this bridge is the active one. What the bridge
 * before had shown is taken up from the database, without a gap.
 */
export class DevicePresence {
  readonly #heard: HeardDevices;
  readonly #marker: BacklogMarker;
  #connected = false;
  #isUnmarked = false;
  readonly #shown: ShownPresence | undefined;
  readonly #said = new Map<PrincipalId, { said: string; at: number }>();
  /** Devices that have spoken before the first look at the database was complete. */
  #spoken: Set<PrincipalId> | undefined = new Set();

  constructor(private readonly o: DevicePresenceOptions) {
    const { statuses, dampMs = DAMP_MS } = o;
    const { presence } = statuses;
    this.#heard = new HeardDevices(o);
    const now = o.now ?? (() => performance.now());
    this.#marker = new BacklogMarker({
      ...o,
      now,
      idleMs: Math.min(IDLE_MS, o.heardMs ?? HEARD_MS),
      caughtUp: (at) => {
        this.#heard.caughtUp(at);
        o.onCaughtUp?.();
      },
      refused: (error) => this.#unmarked(error),
    });
    if (presence === undefined) return;
    const sessions = new PresenceSessions({ presence, changed: statuses.hint });
    o.signal.addEventListener("abort", () => sessions.abandon());
    this.#shown = new ShownPresence({
      stays: {
        open: (member, stay) => sessions.open(member, stay),
        close: (s) => sessions.close(s),
      },
      graceMs: presence.times.graceMs,
      dampMs,
      changed: statuses.hint,
    });
  }

  /** Works until the signal; the leases stay, for the bridge that takes over. */
  async run(): Promise<void> {
    const { heardMs = HEARD_MS } = this.o;
    await Promise.all([
      this.#takeUp(),
      this.#each(TICK_MS, () => Promise.resolve(this.#shown?.tick())),
      this.#each(Math.min(TICK_MS, heardMs), () => Promise.resolve(this.#mark())),
      this.#each(heardMs, () => this.#save()),
    ]);
    await Promise.all([this.#save(), this.o.statuses.presence?.release([], true)]);
  }

  /** A device has said something just now. */
  heard(device: PrincipalId): void {
    this.#marker.hurry();
    this.#heard.heard(device);
  }

  /** The bridge is connected to the broker: from now on it hears everything. */
  connected(): void {
    this.#connected = true;
    this.#isUnmarked = false;
    this.#heard.listening();
  }

  /** Something that the bridge has published has come back to it, behind all that came before. */
  echoed(topic: string): void {
    this.#marker.received(topic);
  }

  /** True while much of what devices have said may wait, at the broker or on the way. */
  isBehind(): boolean {
    return this.#heard.isBehind(BEHIND_MS);
  }

  /** It is not any more. What devices have said stands: brokers that die publish no last wills. */
  disconnected(): void {
    this.#connected = false;
    this.#marker.forget();
    this.#heard.deaf();
  }

  /** A device's access has ended; the database knows. */
  ended(device: PrincipalId): void {
    this.#said.delete(device);
    this.#spoken?.add(device);
    this.#shown?.show(device, { stay: undefined, unstableMs: 0, member: device });
  }

  /**
   * Takes what a device has published on `status`. A JSON object must be `{online, session?}`;
   * anything else says nothing of whether the device is there. Throws ConfabError: `stale_session`
   * for a birth just now that counts for nothing, or its device would stay offline unexplained.
   */
  async say(device: PrincipalId, { payload, retained }: Delivery): Promise<void> {
    const status = readStatus(payload);
    if (status === undefined) return;
    const { online, session } = status;
    const said = JSON.stringify([online, session]);
    const last = this.#said.get(device);
    if (last?.said === said && performance.now() - last.at < REPEAT_MS) return;
    const given = session === undefined ? { online } : { online, session };
    const answer = await this.o.statuses.say(this.o.lease, device, given, online && !retained);
    if (this.o.signal.aborted) return;
    // The one who holds the lease now gets it from the broker, too.
    if (answer === undefined) throw new ConfabError("unavailable", "The bridge's term is over");
    this.#remember(device, said);
    this.#spoken?.add(device);
    this.#show(device, answer);
    if (answer.outcome === "ignored" && online && !retained) throw new ConfabError("stale_session");
  }

  #show(device: PrincipalId, { stay, unstableMs, member }: SaidStatus | OnlineDevice): void {
    this.#shown?.show(device, { stay: stay ?? undefined, unstableMs, member });
  }

  #remember(device: PrincipalId, said: string): void {
    this.#said.delete(device);
    this.#said.set(device, { said, at: performance.now() });
    if (this.#said.size > MAX_REPEATS) this.#said.delete(this.#said.keys().next().value!);
  }

  /** Shows those that have said that they are there, whoever was the bridge then. */
  async #takeUp(): Promise<void> {
    const { signal, statuses, log } = this.o;
    let after: PrincipalId | null = null;
    for (let failures = 0; !signal.aborted && this.#shown !== undefined;) {
      try {
        const page: OnlineDevice[] = await statuses.online(after, PAGE);
        if (signal.aborted) return;
        failures = 0;
        for (const one of page) {
          if (!this.#spoken!.has(one.device)) this.#show(one.device, one);
        }
        // They may have become stable while no bridge was there to say so.
        const stable = page.filter((one) => one.wasUnstable && one.unstableMs === 0);
        statuses.hint(stable.map(({ member }) => member));
        if (page.length < PAGE) break;
        after = page.at(-1)!.device;
      } catch (error) {
        if (++failures === 3) log.warn("The devices that are online cannot be read", { error });
        await pause(backoffMs(failures, { baseMs: 100, capMs: 5_000 }), signal);
      }
    }
    this.#spoken = undefined;
  }

  #mark(): void {
    if (!this.#connected) return;
    if (this.#isUnmarked) this.#heard.caughtUp((this.o.now ?? (() => performance.now()))());
    else this.#marker.tick();
  }

  /** A broker with rights of its own, or with those of an older version. */
  #unmarked(error: unknown): void {
    if (!(error instanceof ConfabError) || error.code !== "forbidden" || this.#isUnmarked) return;
    this.#isUnmarked = true;
    this.o.log.warn(
      "The broker does not let the bridge empty what devices leave there, or see what waits",
      { error },
    );
  }

  async #save(): Promise<void> {
    try {
      await this.#heard.save();
    } catch (error) {
      this.o.log.warn("When devices were heard is written later", { error });
    }
  }

  async #each(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.o;
    while (!signal.aborted) {
      await pause(ms, signal);
      if (!signal.aborted) await work();
    }
  }
}

/** What a payload says; undefined: nothing. Throws ConfabError. */
function readStatus(payload: Uint8Array) {
  const text = decodeText(payload);
  if (!/^\s*\{/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfabError("invalid_json", undefined, { cause });
  }
  const parsed = deviceStatus.safeParse(value);
  if (!parsed.success) throw refusalOf(parsed.error);
  return parsed.data;
}
