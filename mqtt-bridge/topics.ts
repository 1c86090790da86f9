import { isId } from "../lib/ids.ts";
import type { Delivery } from "./delivery.ts";

/**
 * The topic tree. Everything of a device lives under `{prefix}d/{device}/`, and what a device
 * writes (up) and what it reads (down) never overlap, so one static pattern ACL serves every
 * broker and no device can say what only the bridge says. `+` stands for a room id.
 */

/** What devices write, below their own prefix. */
export const UP = [
  "rooms/+/send",
  "rooms/+/telemetry",
  "rooms/+/reported",
  "requests",
  "replies",
  "status",
] as const;
/** What devices read, below their own prefix; response topics may be chosen under `responses/`. */
export const DOWN = [
  "rooms/+/events",
  "rooms/+/head",
  "rooms/+/desired",
  "receipts",
  "responses/#",
  "commands",
  "errors",
] as const;

/** Of what devices write, what stays at a broker: the bridge empties it when they have gone. */
export const KEPT = ["rooms/+/reported", "status"] as const satisfies readonly typeof UP[number][];
/** The correlation data of what the bridge publishes there. From somebody else it means nothing. */
export const OWN_MARK = new TextEncoder().encode("confab-bridge");

/** Below the device's own. Brokers end the connection that publishes to a deep one. */
const MAX_RESPONSE_LEVELS = 16;

const ROOM_KINDS = ["send", "telemetry", "reported"] as const;
const OWN_KINDS = ["requests", "replies", "status"] as const;

/** A topic that a device writes: in one of its rooms, or about itself. */
export type UpTopic =
  | { [K in typeof ROOM_KINDS[number]]: { kind: K; device: string; room: string } }[
    typeof ROOM_KINDS[number]
  ]
  | { [K in typeof OWN_KINDS[number]]: { kind: K; device: string } }[typeof OWN_KINDS[number]];

/** Builds and parses the topics under one prefix, such as `confab/`. */
export class Topics {
  constructor(readonly prefix: string) {
    if (!/^([A-Za-z0-9_-]+\/)+$/.test(prefix)) {
      throw new TypeError(`The topic prefix "${prefix}" must be levels that each end with "/"`);
    }
  }

  /** The levels of the deepest topic, which is a response topic; Mosquitto allows 200. */
  get maxLevels(): number {
    return this.prefix.split("/").length + 1 + MAX_RESPONSE_LEVELS;
  }

  /** The part of the tree that belongs to one device, with the final slash. */
  own(device: string): string {
    return `${this.prefix}d/${device}/`;
  }
  send(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/send`;
  }
  events(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/events`;
  }
  head(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/head`;
  }
  telemetry(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/telemetry`;
  }
  reported(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/reported`;
  }
  desired(device: string, room: string): string {
    return `${this.own(device)}rooms/${room}/desired`;
  }
  commands(device: string): string {
    return `${this.own(device)}commands`;
  }
  replies(device: string): string {
    return `${this.own(device)}replies`;
  }
  receipts(device: string): string {
    return `${this.own(device)}receipts`;
  }
  requests(device: string): string {
    return `${this.own(device)}requests`;
  }
  responses(device: string): string {
    return `${this.own(device)}responses`;
  }
  errors(device: string): string {
    return `${this.own(device)}errors`;
  }
  status(device: string): string {
    return `${this.own(device)}status`;
  }

  /** The filters of everything that the bridge reads. */
  inbound(): Record<UpTopic["kind"], string> {
    return {
      send: this.send("+", "+"),
      telemetry: this.telemetry("+", "+"),
      reported: this.reported("+", "+"),
      requests: this.requests("+"),
      replies: this.replies("+"),
      status: this.status("+"),
    };
  }

  /** What a received topic means; undefined when it is not one of ours or an id is not an id. */
  parse(topic: string): UpTopic | undefined {
    const split = this.#split(topic);
    if (split === undefined) return undefined;
    const { device, rest: [first, room, last, more] } = split;
    if (room === undefined) {
      const kind = OWN_KINDS.find((kind) => kind === first);
      return kind && { kind, device } as UpTopic;
    }
    if (first !== "rooms" || !isId(room) || more !== undefined) return undefined;
    const kind = ROOM_KINDS.find((kind) => kind === last);
    return kind && { kind, device, room } as UpTopic;
  }

  /** The device below whose prefix a topic lies, whether it is one of ours or not. */
  ownerOf(topic: string): string | undefined {
    const base = `${this.prefix}d/`;
    const [device = ""] = topic.slice(base.length, base.length + 100).split("/");
    return topic.startsWith(base) && isId(device) ? device : undefined;
  }

  /** True when `device` may publish to this topic. */
  mayPublish(device: string, topic: string): boolean {
    return this.#isOwn(device, topic, UP);
  }

  /** True when `device` may be given a message on this topic. */
  mayReceive(device: string, topic: string): boolean {
    return this.#isOwn(device, topic, DOWN);
  }

  /** True when the bridge may publish this: what only it writes, and nothing where devices left something. */
  mayBridge(topic: string, isEmpty: boolean): boolean {
    const split = this.#split(topic);
    if (split === undefined) return false;
    return this.mayReceive(split.device, topic) ||
      (isEmpty && this.#isOwn(split.device, topic, KEPT));
  }

  /** True when the bridge itself has published this. */
  isOwnEcho({ topic, payload, properties }: Delivery): boolean {
    const { correlationData } = properties;
    return payload.length === 0 && correlationData?.length === OWN_MARK.length &&
      correlationData.every((byte, i) => byte === OWN_MARK[i]) && this.mayBridge(topic, true);
  }

  /**
   * True when a device's filter names its own prefix literally and can match something it may
   * read. Wildcards are fine below that prefix; what it may not read is filtered at delivery.
   */
  maySubscribe(device: string, filter: string): boolean {
    if (!isId(device) || !filter.startsWith(this.own(device))) return false;
    const levels = filter.slice(this.own(device).length).split("/");
    return isFilter(levels) && DOWN.some((pattern) => overlaps(levels, pattern.split("/")));
  }

  /** True when a filter that the device may use matches nothing but what it may read. */
  isOnlyDown(device: string, filter: string): boolean {
    const levels = filter.slice(this.own(device).length).split("/");
    return !UP.some((pattern) => overlaps(levels, pattern.split("/")));
  }

  /** True for a response topic that the bridge may use for this device. */
  mayRespondOn(device: string, topic: string): boolean {
    if (topic.length > 512 || /[+#\0]/.test(topic)) return false;
    const own = this.own(device);
    if (topic.slice(own.length).split("/").length > MAX_RESPONSE_LEVELS) return false;
    return topic === `${own}receipts` || topic === `${own}responses` ||
      topic.startsWith(`${own}responses/`);
  }

  #split(topic: string): { device: string; rest: string[] } | undefined {
    const base = `${this.prefix}d/`;
    if (topic.length > 512 || !topic.startsWith(base)) return undefined;
    const [device, ...rest] = topic.slice(base.length).split("/");
    return device !== undefined && isId(device) ? { device, rest } : undefined;
  }

  #isOwn(device: string, topic: string, patterns: readonly string[]): boolean {
    if (!isId(device) || !topic.startsWith(this.own(device)) || /[+#\0]/.test(topic)) return false;
    const levels = topic.slice(this.own(device).length).split("/");
    return patterns.some((pattern) => {
      const wanted = pattern.split("/");
      return overlaps(levels, wanted) && (wanted[1] !== "+" || isId(levels[1] ?? ""));
    });
  }
}

/** MQTT 5, section 4.7.1: a wildcard fills its level, and `#` is the last one. */
function isFilter(levels: string[]): boolean {
  return levels.every((level, i) =>
    level === "+" || (level === "#" && i === levels.length - 1) || !/[+#\0]/.test(level)
  );
}

/** True when some topic matches both filters, given as levels. */
function overlaps(a: string[], b: string[]): boolean {
  for (let i = 0;; i++) {
    if (a[i] === "#" || b[i] === "#") return true;
    // "x/#" also matches "x" itself.
    if (a[i] === undefined) return b[i] === undefined || b[i] === "#";
    if (b[i] === undefined) return false;
    if (a[i] !== b[i] && a[i] !== "+" && b[i] !== "+") return false;
  }
}
