import type { ExitRecord } from "./history.ts";
import type { Random } from "./random.ts";

/**
 * The processes and links of one run, as the nemesis and the clients see them. Whoever breaks
 * something mends it again through the same handle; `heal()` mends everything at once.
 */
export interface World extends AsyncDisposable {
  /** Milliseconds since the run began. */
  now(): number;
  readonly nodes: readonly NodeHandle[];
  readonly bridges: readonly ProcessHandle[];
  readonly postgres: PostgresHandle;
  readonly redis: ServerHandle;
  readonly mosquitto: ServerHandle;
  /** Where devices reach the broker, through a proxy; the nodes tell them the same. */
  readonly devicesUrl: string;
  /** How processes ended so far, in order. */
  readonly exits: readonly ExitRecord[];
  /** The bridge that holds the lease, as the database says; undefined: none does now. */
  activeBridge(): Promise<ProcessHandle | undefined>;
  /** Every link in the world, by what it joins. */
  links(filter: { from?: LinkEnd; to?: LinkEnd }): readonly LinkHandle[];
  /**
   * Starts what is down, continues what is stopped, opens every link, sets every clock right.
   * Resolves when all answer; throws when they do not within half a minute.
   */
  heal(): Promise<void>;
}

/** What stands at one end of links; `clients` are people's programs, `devices` MQTT clients. */
export type LinkEnd = "clients" | "devices" | "web" | "bridge" | "postgres" | "redis" | "mosquitto";

/** A process that the suite started and may end. */
export interface ProcessHandle {
  /** Such as `web1`, `bridge2`, `redis`. */
  readonly name: string;
  readonly running: boolean;
  readonly pid: number;
  /**
   * Sends a signal and resolves when it has ended; records how it ended. One that does not end
   * within ten seconds is killed, which the record shows too.
   */
  end(signal: "SIGKILL" | "SIGINT" | "SIGTERM"): Promise<void>;
  /**
   * Starts it again where it was, with the same data; resolves when it answers. What it needs may
   * be away: then it is started again and again, for half a minute.
   */
  start(): Promise<void>;
  /** SIGSTOP. */
  pause(): void;
  /** Whether the system shows it as stopped. */
  isStopped(): Promise<boolean>;
  /** SIGCONT. */
  resume(): void;
}

/** A web node; clients reach it through the proxy at `url`, which stays the same over restarts. */
export interface NodeHandle extends ProcessHandle {
  readonly url: string;
  /** Starts it with a clock that is `offsetMs` away from ours, until it is started again. */
  startWithClock(offsetMs: number): Promise<void>;
  /** How far its clock was from ours when it last began to listen, by the line that it logged. */
  clockOffsetMs(): Promise<number>;
}

/** A server whose port stays the same over restarts. `url` leads through no proxy. */
export interface ServerHandle extends ProcessHandle {
  readonly url: string;
}

/** The database, with what only a database suffers. */
export interface PostgresHandle extends ServerHandle {
  /** Ends it in immediate mode (no checkpoint) and starts it again. */
  restartImmediately(): Promise<void>;
  /** Ends every backend of other clients; resolves to how many. */
  terminateBackends(): Promise<number>;
  /**
   * Holds the row lock of a room for so long, in a transaction of its own; resolves to the locks
   * that the database showed meanwhile, and to how many backends it saw wait for them.
   */
  lockRoom(room: string, ms: number): Promise<{ locks: number; waiters: number }>;
  /** Runs a statement past all proxies, for the checker. */
  query<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
}

/** A link through a fault proxy: every connection between two ends (one client's, or a node's). */
export interface LinkHandle {
  readonly name: string;
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  /** Connections that are open now. */
  readonly open: number;
  /** What it did since the world began: bytes carried each way, chunks that were made to wait. */
  readonly traffic: { there: number; back: number; delayed: number; refused: number };
  /** Bytes that wait in the proxy now. */
  readonly held: number;
  /** Closes what is open and refuses new connections until `heal()`. */
  cut(): void;
  /** Closes what is open; new connections are carried. */
  drop(): void;
  /**
   * Carries nothing and says nothing until `heal()`; what waited arrives late. New connections
   * look open and hear nothing.
   */
  blackHole(): void;
  /** Carries only towards the far end (`to`) or back until `heal()`. */
  halfOpen(carries: "there" | "back"): void;
  /** Delays every chunk by `ms`, with `jitterMs` more at random, keeping the order. */
  delay(ms: number, jitterMs: number, random: Random): void;
  /** Carries so many bytes a second, on each connection and each way. */
  slow(bytesPerSecond: number): void;
  heal(): void;
}
