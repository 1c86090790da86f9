import type { LogEntry, PrincipalId, RoomId } from "../lib/protocol.ts";
import type {
  AccessEndRecord,
  ActorRecord,
  ConnectionRecord,
  ConvergenceRecord,
  ExitRecord,
  FaultRecord,
  FinalRoom,
  History,
  PresenceRecord,
  RoomRecord,
  Via,
  WriteKind,
  WriteRecord,
} from "./history.ts";
import type { DeviceRecords } from "./history_devices.ts";
import type { MeteringRecord } from "./history_metering.ts";

const MAX_PROBLEMS = 200;

/** What of a connection is known when it begins; `openedAt` is when it was asked for. */
export type OpeningRecord = Omit<ConnectionRecord, "entries">;

/**
 * Collects what a run saw, on one clock. Records are handed out as they are kept: whoever asked for
 * one goes on filling it.
 */
export class Recorder {
  readonly principals: ActorRecord[] = [];
  readonly rooms: RoomRecord[] = [];
  readonly writes: WriteRecord[] = [];
  readonly deliveries: ConnectionRecord[] = [];
  readonly accessEnds: AccessEndRecord[] = [];
  readonly faults: FaultRecord[] = [];
  readonly exits: ExitRecord[] = [];
  readonly presence: PresenceRecord[] = [];
  readonly metering: MeteringRecord = { meters: [], metrics: [], looks: [] };
  readonly devices: DeviceRecords = {
    ...{ commands: [], desired: [], reports: [], looks: [], settled: [] },
  };
  readonly final: FinalRoom[] = [];
  convergence: ConvergenceRecord | undefined;
  /** How often things happened that are no part of the history: refusals, closes, repeats. */
  readonly counts = new Map<string, number>();
  /** What a correct server never does, and no record has a place for. */
  readonly problems: string[] = [];
  /** Equal entries are kept once, however many readers were given them. */
  readonly #entries = new Map<string, { json: string; entry: LogEntry }[]>();

  /** `now` is the clock of the run: milliseconds since its start. */
  constructor(readonly seed: number, readonly now: () => number) {}

  write(actor: PrincipalId, room: RoomId, via: Via, what: WriteKind): WriteRecord {
    const record: WriteRecord = {
      actor,
      room,
      via,
      what,
      startedAt: this.now(),
      tries: 0,
      acks: [],
    };
    this.writes.push(record);
    return record;
  }

  connection(opening: OpeningRecord): ConnectionRecord {
    const record: ConnectionRecord = { ...opening, entries: [] };
    this.deliveries.push(record);
    return record;
  }

  /** Adds an entry to what a connection was given. */
  deliver(record: ConnectionRecord, entry: LogEntry, live: boolean): void {
    record.entries.push({ at: this.now(), entry: this.#shared(entry), live });
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  problem(text: string): void {
    this.count("problem");
    if (this.problems.length < MAX_PROBLEMS) {
      this.problems.push(`${Math.round(this.now())} ms: ${text}`);
    }
  }

  history(): History {
    const { seed, principals, rooms, writes, deliveries, accessEnds, metering } = this;
    const { faults, exits, presence, devices, convergence, final } = this;
    return {
      seed,
      principals,
      rooms,
      writes,
      deliveries,
      accessEnds,
      faults,
      exits,
      presence,
      metering,
      devices,
      convergence,
      final,
    };
  }

  /** The entry whole, as it was given; one object for all that are equal. */
  #shared(entry: LogEntry): LogEntry {
    const key = `${entry.room}:${entry.seq}`;
    const json = JSON.stringify(entry);
    let variants = this.#entries.get(key);
    if (variants === undefined) this.#entries.set(key, variants = []);
    const known = variants.find((one) => one.json === json);
    if (known !== undefined) return known.entry;
    variants.push({ json, entry });
    return entry;
  }
}
