import type { ClientFrame, ErrorFrame, ServerFrame } from "../protocol.ts";
import type { Clock } from "./clock.ts";
import { ConfabClientError } from "./errors.ts";

/** What the SDK needs of a WebSocket: the browser's, Deno's, Node's and npm's `ws` have it. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
}

/** How a {@link SocketLike} is made. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** A client frame without its `id`, which the link adds. */
export type RequestFrame = ClientFrame extends infer Frame
  ? Frame extends ClientFrame ? "id" extends keyof Frame ? Omit<Frame, "id"> : never : never
  : never;

/** The `ok` of a request. */
export type Ok = { type: "ok"; id: string } & Record<string, unknown>;

/** How a link ended; `code` is the WebSocket close code, or 1006 when it ended without one. */
export interface LinkEnd {
  code: number;
  reason: string;
  /** Seconds, when the server said so before closing. */
  retryAfter: number | undefined;
  /** The code of an error frame that came last and answered no request. */
  errorCode: string | undefined;
}

/** Who listens to a link. `ended` is called exactly once, the others never after it. */
export interface LinkListener {
  frame(frame: ServerFrame): void;
  ended(end: LinkEnd): void;
}

const OPEN = 1;
const TIMES = { readyMs: 10_000, requestMs: 15_000, idleMs: 20_000, pongMs: 8_000, probeMs: 4_000 };

interface Waiting {
  accept(ok: Ok): void;
  reject(error: ConfabClientError): void;
  cancel(): void;
}

/** The life of one WebSocket: frames in order, answers by id, and a heartbeat. */
export class Link {
  #socket: SocketLike;
  #clock: Clock;
  #listener: LinkListener;
  #waiting = new Map<string, Waiting>();
  #nextId = 1;
  #heardAt: number;
  #frames = 0;
  #cancelTimer: () => void;
  #ended = false;
  #ready = false;
  #lastError: ErrorFrame | undefined;

  constructor(socket: SocketLike, clock: Clock, listener: LinkListener) {
    this.#socket = socket;
    this.#clock = clock;
    this.#listener = listener;
    this.#heardAt = clock.now();
    this.#cancelTimer = clock.after(TIMES.readyMs, () => this.end(1006, "No ready frame in time"));
    socket.addEventListener("message", (event) => this.#receive((event as MessageEvent).data));
    socket.addEventListener("close", (event) => {
      const { code, reason } = event as CloseEvent;
      this.#finish(code ?? 1006, reason ?? "");
    });
    socket.addEventListener("error", () => this.#finish(1006, "The connection failed"));
  }

  /**
   * Sends a frame that is answered. `onOk` runs synchronously with the answer, before any frame
   * behind it in the same array is handled; the promise settles later.
   */
  request(frame: RequestFrame, onOk?: (ok: Ok) => void): Promise<Ok> {
    return new Promise((resolve, reject) => {
      if (!this.#open()) return reject(disconnected());
      const id = String(this.#nextId++);
      const cancel = this.#clock.after(TIMES.requestMs, () => {
        this.#waiting.delete(id);
        reject(new ConfabClientError("timeout", `No answer to "${frame.type}" in time`));
      });
      const accept = (ok: Ok) => {
        onOk?.(ok);
        resolve(ok);
      };
      this.#waiting.set(id, { accept, reject, cancel });
      this.#socket.send(JSON.stringify({ ...frame, id }));
    });
  }

  /** Sends a frame that is not answered; dropped when the link is not open. */
  notify(frame: ClientFrame): void {
    if (this.#open()) this.#socket.send(JSON.stringify(frame));
  }

  /** Finds out soon whether the other side still answers. */
  probe(): void {
    if (this.#ready) this.#ping(TIMES.probeMs);
  }

  /** Ends the link at once, without waiting for the other side. */
  end(code: number, reason: string): void {
    this.#finish(code, reason);
    this.#socket.close(code === 1000 ? 1000 : 4000, reason);
  }

  #open(): boolean {
    return !this.#ended && this.#socket.readyState === OPEN;
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#heardAt = this.#clock.now();
    this.#frames++;
    const parsed = parseFrames(data);
    if (parsed === undefined) return this.end(1006, "The server sent what is not JSON");
    for (const frame of parsed) {
      if (this.#ended) return;
      this.#handle(frame);
    }
  }

  #handle(frame: ServerFrame): void {
    if (frame.type === "ready") {
      this.#ready = true;
      this.#cancelTimer();
      this.#watch();
    }
    if (frame.type === "ok") return this.#take(frame.id)?.accept(frame);
    if (frame.type === "error") {
      if (frame.id === undefined) this.#lastError = frame;
      else {
        this.#take(frame.id)?.reject(
          new ConfabClientError(frame.code, frame.message, {
            retryAfter: frame.retryAfter,
            errors: frame.errors,
          }),
        );
      }
      return;
    }
    this.#lastError = undefined;
    this.#listener.frame(frame);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    return waiting;
  }

  #watch(): void {
    const silentMs = this.#clock.now() - this.#heardAt;
    this.#cancelTimer = this.#clock.after(Math.max(0, TIMES.idleMs - silentMs), () => {
      if (this.#clock.now() - this.#heardAt < TIMES.idleMs) return this.#watch();
      this.#ping(TIMES.pongMs);
    });
  }

  #ping(waitMs: number): void {
    this.#cancelTimer();
    const heard = this.#frames;
    this.notify({ type: "ping" });
    this.#cancelTimer = this.#clock.after(waitMs, () => {
      if (this.#frames > heard) return this.#watch();
      this.end(1006, "The server does not answer");
    });
  }

  #finish(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(disconnected());
    const retryAfter = this.#lastError?.retryAfter ?? retryAfterIn(reason);
    this.#listener.ended({ code, reason, retryAfter, errorCode: this.#lastError?.code });
  }
}

function disconnected(): ConfabClientError {
  return new ConfabClientError("disconnected", "The connection ended first");
}

function parseFrames(data: unknown): ServerFrame[] | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    return (Array.isArray(value) ? value : [value]) as ServerFrame[];
  } catch {
    return undefined;
  }
}

/** A close reason may be JSON with `retryAfter` in seconds. */
function retryAfterIn(reason: string): number | undefined {
  const match = /"?retryAfter"?\s*[:=]\s*(\d+(?:\.\d+)?)/.exec(reason);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
