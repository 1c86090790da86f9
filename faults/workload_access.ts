import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import { verdict } from "./clients/api.ts";
import { againMs, wait } from "./clients/waiting.ts";
import type { Cast } from "./workload_cast.ts";

const INTRUDE_MS = 1500;
const MAX_INTRUSIONS = 4;

/** When access changes, in milliseconds. */
export interface AccessTimes {
  logoutAfterMs: number;
  disableAfterMs: number;
  /** At most between two removals of the member who is removed again and again. */
  removeEveryMs: number;
}

/**
 * Changes who may do what during a run: a person and a device are removed and added again, a person
 * logs out, a device is deleted. What has not happened when the run ends happens then.
 */
export class AccessChanges {
  /** Whose access has ended, or is about to. */
  readonly gone = new Set<PrincipalId>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running: Promise<void>[];

  constructor(private readonly cast: Cast, private readonly times: AccessTimes) {
    this.#signal = AbortSignal.any([cast.context.signal, this.#stop.signal]);
    const guest = cast.devices.get("guest")?.id;
    this.#running = [
      this.#comeAndGo(cast.account("flapper").id, cast.rooms[0]!.id),
      this.#comeAndGo(cast.account("flapper").id, cast.rooms[2]!.id),
      ...(guest === undefined ? [] : [this.#comeAndGo(guest, cast.rooms[2]!.id)]),
      this.#logout(),
      this.#intrude(),
      ...(cast.devices.has("doomed") ? [this.#disable()] : []),
    ];
  }

  /** Stops; resolves when everybody who was removed is back, and all ends have come. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #comeAndGo(principal: PrincipalId, room: RoomId): Promise<void> {
    const { owner, context: { random } } = this.cast;
    const { removeEveryMs } = this.times;
    for (;;) {
      await wait(removeEveryMs * (0.4 + 0.6 * random.next()), this.#signal);
      if (this.#signal.aborted) return;
      await owner.written(room, { type: "remove", principal });
      await wait(removeEveryMs * (0.1 + 0.3 * random.next()), this.#signal);
      await owner.written(room, { type: "add", principal, role: "member" });
    }
  }

  /** A stranger writes, too, and must be refused. */
  async #intrude(): Promise<void> {
    const { rooms, writers, context: { random, recorder } } = this.cast;
    const { id } = this.cast.account("stranger");
    const writer = writers.find(({ principal }) => principal === id)!;
    for (let i = 1; !this.#signal.aborted; i++) {
      if (writer.backlog < MAX_INTRUSIONS) {
        const what = {
          type: "send",
          clientId: `${writer.name}:${i}`,
          text: `intrudes ${i}`,
        } as const;
        writer.write(random.pick(rooms).id, what);
      }
      await wait(INTRUDE_MS, this.#signal);
    }
    const stored = recorder.writes.filter(({ actor, acks }) => actor === id && acks.length > 0);
    if (stored.length > 0) recorder.problem(`A stranger wrote ${stored.length} times`);
  }

  async #logout(): Promise<void> {
    const { recorder } = this.cast.context;
    const account = this.cast.account("leaver");
    await wait(this.times.logoutAfterMs, this.#signal);
    this.gone.add(account.id);
    if (!await account.logout()) return recorder.count("logout failed");
    recorder.accessEnds.push({
      principal: account.id,
      how: "logout",
      at: recorder.now(),
      clients: this.cast.clientsOf(account.id).map(({ name }) => name),
    });
  }

  async #disable(): Promise<void> {
    const { ownerAccount, rooms, context: { api, recorder, random, signal } } = this.cast;
    const { id } = this.cast.devices.get("doomed")!;
    await wait(this.times.disableAfterMs, this.#signal);
    this.gone.add(id);
    // It leaves its rooms as if by itself.
    const leavings = rooms.filter(({ members }) => members.includes(id))
      .map((room) => recorder.write(id, room.id, "rest", { type: "remove", principal: id }));
    for (let tries = 1; !signal.aborted; tries++) {
      for (const leaving of leavings) leaving.tries++;
      const token = await ownerAccount.token();
      const { code, retryAfterMs } = await api.request("DELETE", `/v1/devices/${id}`, { token });
      if (code === "" || code === "not_found") break;
      if (verdict(code) === "final") return recorder.problem(`A device was not deleted: ${code}`);
      await wait(retryAfterMs ?? againMs(tries, random), signal);
    }
    const at = recorder.now();
    for (const leaving of leavings) leaving.acks.push({ at, seq: 0, duplicate: false });
    const clients = this.cast.clientsOf(id).map(({ name }) => name);
    recorder.accessEnds.push({ principal: id, how: "disabled", at, clients });
  }
}
