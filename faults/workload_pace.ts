import type { PrincipalId } from "../lib/protocol.ts";
import type { Writer } from "./clients/client.ts";
import { reached, wait } from "./clients/waiting.ts";
import type { WriteRecord } from "./history.ts";
import type { Cast, CastRoom } from "./workload_cast.ts";

const TICK_MS = 25;
/** What could not be said in time is not made up for beyond this. */
const BURST_MS = 200;
/** A writer with so much unanswered is left alone. */
const MAX_BACKLOG = { ws: 24, rest: 6, mqtt: 10, sse: 0 };
/** Devices say less than people: their broker writes to disk for each message. */
const DEVICE_SHARE = 0.3;
const EDIT_SHARE = 0.06;
const DELETE_SHARE = 0.03;
/** So many of somebody's last messages may be changed. */
const CHANGEABLE = 40;

/** Keeps everybody writing, at a rate. */
export class Pace {
  readonly #targets = new Map<PrincipalId, WriteRecord[]>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #paused = false;
  #number = 0;

  /** `gone` says whose writers have nothing more to say. */
  constructor(
    private readonly cast: Cast,
    private readonly perSecond: number,
    private readonly gone: (principal: PrincipalId) => boolean,
  ) {
    this.#done = this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** Resolves to true when nothing waits for an answer any more. */
  settled(deadlineMs: number): Promise<boolean> {
    const { writers, context } = this.cast;
    const all = () =>
      writers.every(({ backlog, principal }) => backlog === 0 || this.gone(principal));
    return reached(all, deadlineMs, context.signal);
  }

  /** Many large messages in the liveliest room, which whoever does not read will have to read. */
  fill(count: number, chars: number): void {
    const room = this.cast.rooms[0]!;
    for (let i = 0; i < count; i++) {
      const writer = this.#writer(room, false);
      if (writer !== undefined) this.#send(writer, room, `says ${"at length ".repeat(chars / 10)}`);
    }
  }

  /** One message in each room, by somebody who is not at their limit. */
  say(what: string): WriteRecord[] {
    return this.cast.rooms.flatMap((room) => {
      const writer = this.#writer(room, false);
      return writer === undefined ? [] : [this.#send(writer, room, what)];
    });
  }

  async #run(): Promise<void> {
    const signal = AbortSignal.any([this.cast.context.signal, this.#stop.signal]);
    let due = 0;
    for (let last = performance.now(); !signal.aborted; await wait(TICK_MS, signal)) {
      const now = performance.now();
      due = Math.min(due + (now - last) * this.perSecond / 1000, this.perSecond * BURST_MS / 1000);
      last = now;
      if (this.#paused) due = 0;
      for (; due >= 1; due--) this.#write();
    }
  }

  #write(): void {
    const { random } = this.cast.context;
    const room = this.#room();
    const dice = random.next();
    const writer = this.#writer(room, dice < EDIT_SHARE + DELETE_SHARE);
    if (writer === undefined) return;
    const clientId = this.#clientId(writer);
    if (dice >= EDIT_SHARE + DELETE_SHARE) return void this.#send(writer, room, "says");
    const target = this.#target(writer.principal, room, dice < DELETE_SHARE);
    if (target === undefined) return;
    if (dice < DELETE_SHARE) writer.write(room.id, { type: "delete", target, clientId });
    else {
      const text = this.#text(writer, `changes ${target} to`);
      writer.write(room.id, { type: "edit", target, clientId, text });
    }
  }

  #send(writer: Writer, room: CastRoom, verb: string): WriteRecord {
    const clientId = this.#clientId(writer);
    const record = writer.write(room.id, {
      type: "send",
      clientId,
      text: this.#text(writer, verb),
    });
    const own = this.#targets.get(writer.principal);
    if (own === undefined) this.#targets.set(writer.principal, [record]);
    else if (own.push(record) > 2 * CHANGEABLE) own.splice(0, CHANGEABLE);
    return record;
  }

  #clientId({ name }: Writer): string {
    return `${name}:${++this.#number}`;
  }

  /** Who, when and which: no two texts are equal. */
  #text({ name }: Writer, verb: string): string {
    const ms = Math.round(this.cast.context.recorder.now());
    return `${name} ${verb} number ${this.#number} at ${ms} ms`;
  }

  #room(): CastRoom {
    const { rooms, context: { random } } = this.cast;
    let dice = random.next() * rooms.reduce((sum, { weight }) => sum + weight, 0);
    return rooms.find(({ weight }) => (dice -= weight) < 0) ?? rooms.at(-1)!;
  }

  /** A member's writer that can take more; `changes` asks for one that can edit and delete. */
  #writer({ members }: CastRoom, changes: boolean): Writer | undefined {
    const { writers, context: { random } } = this.cast;
    const able = writers.filter((writer) =>
      members.includes(writer.principal) && !this.gone(writer.principal) &&
      writer.backlog < MAX_BACKLOG[writer.via] &&
      (!changes || writer.writes.includes("edit")) &&
      (writer.via !== "mqtt" || random.next() < DEVICE_SHARE)
    );
    return able.length === 0 ? undefined : random.pick(able);
  }

  /** The seq of an acknowledged message of somebody's own; `forget` when it will be deleted. */
  #target(principal: PrincipalId, { id }: CastRoom, forget: boolean): number | undefined {
    const own = this.#targets.get(principal) ?? [];
    const stored = own.slice(-CHANGEABLE)
      .filter(({ room, acks }) => room === id && acks.length > 0);
    if (stored.length === 0) return undefined;
    const record = this.cast.context.random.pick(stored);
    if (forget) own.splice(own.indexOf(record), 1);
    return record.acks[0]!.seq;
  }
}
