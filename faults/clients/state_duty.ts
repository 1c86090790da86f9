import type { Json, LogEntry, Metadata, RoomId } from "../../lib/protocol.ts";
import type { DesiredPayload } from "../history_devices.ts";
import type { DevicePart, DeviceVoice } from "./device_part.ts";

const WORK_MS = 400;
/** How often the broker is asked what it keeps. */
const LOOK_MS = 1500;
/** Members that no device here can have: they stay to be done. */
export const BEYOND = "beyond";

interface Room {
  /** Undefined: nothing was said yet. */
  said: Metadata | undefined;
  /** What is left to do, and when it will be done. */
  todo: Metadata | undefined;
  doneAt: number;
}

/**
 * A device that becomes what it shall be, and says what it is: after every change, every start and
 * whenever it is taken into a room again (mqtt-bridge/README.md, "State"). It never becomes what
 * is called `beyond`.
 */
export class StateDuty implements DevicePart {
  readonly filters: readonly string[];
  readonly #rooms = new Map<RoomId, Room>();
  #connection = 0;
  #lookedAt = 0;
  #changes = 0;

  constructor(private readonly voice: DeviceVoice) {
    this.filters = [voice.topics.desired.replace("{room}", "+")];
  }

  connected(): void {
    this.#connection++;
    this.#lookedAt = this.voice.recorder.now();
    for (const room of this.#rooms.keys()) this.#say(room);
  }

  closed(): void {
    // What is to do is done all the same.
  }

  take(topic: string, payload: string, retained: boolean): boolean {
    const { topics } = this.voice;
    if (topic.endsWith("/desired")) {
      this.#given(topic.split("/").at(-2)!, payload, retained);
      return true;
    }
    if (topic.endsWith("/events")) this.#joined([JSON.parse(payload)]);
    else if (topic === topics.responses) this.#joined(JSON.parse(payload).entries ?? []);
    return false;
  }

  tick(): void {
    const now = this.voice.recorder.now();
    for (const [id, room] of this.#rooms) {
      if (room.todo === undefined || now < room.doneAt) continue;
      room.said = { ...merged(room.said ?? {}, room.todo), changes: ++this.#changes };
      room.todo = undefined;
      const { recorder, principal: device } = this.voice;
      recorder.devices.reports.push({ device, room: id, at: now, reported: room.said });
      this.#say(id);
    }
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    this.voice.subscribe(this.filters[0]!);
  }

  #given(id: RoomId, payload: string, retained: boolean): void {
    const { recorder, random, principal: device } = this.voice;
    const given: DesiredPayload | undefined = payload === "" ? undefined : JSON.parse(payload);
    const at = recorder.now();
    const about = { device, room: id, at, connection: this.#connection, retained };
    recorder.devices.desired.push({ ...about, ...(given === undefined ? {} : { given }) });
    const room = this.#rooms.get(id) ?? { said: undefined, todo: undefined, doneAt: 0 };
    this.#rooms.set(id, room);
    const { [BEYOND]: _, ...able } = given?.delta ?? {};
    if (Object.keys(able).length === 0) room.todo = undefined;
    else {
      if (room.todo === undefined) room.doneAt = at + random.between(0, WORK_MS);
      room.todo = able;
    }
  }

  /** Whoever is taken into a room again begins there without a state. */
  #joined(entries: readonly LogEntry[]): void {
    for (const { room, event } of entries) {
      if (event.type !== "member.joined") continue;
      if (event.member.principal.id === this.voice.principal) this.#say(room);
    }
  }

  #say(id: RoomId): void {
    const said = this.#rooms.get(id)?.said;
    if (said === undefined) return;
    this.voice.publish(
      this.voice.topics.reported.replace("{room}", id),
      JSON.stringify(said),
      true,
    );
  }
}

/** RFC 7386. */
function merged(target: Json | undefined, patch: Metadata): Metadata {
  const result: Metadata = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = isObject(value) ? merged(result[name], value) : value;
  }
  return result;
}

function isObject(value: Json | undefined): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
