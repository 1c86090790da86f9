import { assert, assertEquals } from "@std/assert";
import { type LogEntry, type ServerFrame, SUBPROTOCOL } from "../lib/protocol.ts";
import { checkFrame } from "./documented_frames.ts";
import { until } from "./until.ts";

/** How a socket was closed. */
export interface Closing {
  code: number;
  reason: string;
}

/** How a test connects. */
export interface SocketOptions {
  /** Sent as a bearer token. */
  token?: string;
  query?: Record<string, string>;
}

type Deep = Record<string, unknown>;

/**
 * A WebSocket as a program would have it; it notes everything that comes, in order. Disposing of it
 * fails when something came that is not as the AsyncAPI document says.
 */
export class TestSocket implements AsyncDisposable {
  /** Every frame, those of arrays one by one. */
  readonly frames: ServerFrame[] = [];
  /** The same as they came over the wire. */
  readonly wire: string[] = [];
  closing: Closing | undefined;
  #socket: WebSocket;
  #nextId = 1;
  /** The types of the frames that were sent with an id. */
  readonly #asked = new Map<unknown, Set<string>>([["peer", new Set(["join"])]]);
  #undocumented: unknown;

  private constructor(url: URL, token: string | undefined) {
    const options = {
      protocols: [SUBPROTOCOL],
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    };
    // The types of browsers know no headers; Deno has them.
    this.#socket = new WebSocket(url, options as unknown as string[]);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => this.closing ??= { code, reason };
  }

  /** Connects and waits for `ready`; throws when the server refuses. */
  static async connect(server: string, options: SocketOptions): Promise<TestSocket> {
    const url = new URL("/v1/socket", server.replace(/^http/, "ws"));
    for (const [name, value] of Object.entries(options.query ?? {})) {
      url.searchParams.set(name, value);
    }
    const socket = new TestSocket(url, options.token);
    await until("the socket is ready", () => {
      assert(socket.closing === undefined, `Closed: ${JSON.stringify(socket.closing)}`);
      return socket.frames.length > 0;
    });
    assertEquals(socket.frames[0]!.type, "ready");
    return socket;
  }

  /** The first frame that came. */
  get ready(): Extract<ServerFrame, { type: "ready" }> {
    return this.frames[0] as Extract<ServerFrame, { type: "ready" }>;
  }

  /** Sends an object as JSON, anything else as it is. */
  send(frame: Deep | string | Uint8Array<ArrayBuffer>): void {
    const raw = typeof frame === "string" || frame instanceof Uint8Array;
    if (!raw) this.#note(frame);
    this.#socket.send(raw ? frame : JSON.stringify(frame));
  }

  /** Sends a frame with a fresh id and waits for its `ok` or `error`. */
  // deno-lint-ignore no-explicit-any -- tests look into answers whose shape they assert
  async ask(frame: Deep): Promise<any> {
    const id = `ask-${this.#nextId++}`;
    this.send({ ...frame, id });
    return await this.wait(
      `an answer to ${frame.type}`,
      (one) => (one.type === "ok" || one.type === "error") && one.id === id,
    );
  }

  /** Like ask(), for what must succeed. */
  async ok(frame: Deep): ReturnType<TestSocket["ask"]> {
    const answer = await this.ask(frame);
    assertEquals(answer.type, "ok", JSON.stringify(answer));
    return answer;
  }

  /** Like ask(), for what must be refused; returns the code. */
  async refused(frame: Deep): Promise<string> {
    const answer = await this.ask(frame);
    assertEquals(answer.type, "error", JSON.stringify(answer));
    return answer.code;
  }

  /** Waits for a frame, from `from` on. */
  // deno-lint-ignore no-explicit-any -- see ask()
  async wait(what: string, is: (frame: any) => boolean, from = 0, deadlineMs = 10_000) {
    // deno-lint-ignore no-explicit-any -- see ask()
    let found: any;
    await until(what, () => {
      found = this.frames.slice(from).find(is);
      if (found === undefined && this.closing !== undefined) {
        throw new Error(`Closed with ${JSON.stringify(this.closing)} before ${what}`);
      }
      return found !== undefined;
    }, deadlineMs);
    return found;
  }

  /** The log entries of a room, in the order they came. */
  entries(room: string): LogEntry[] {
    return this.frames.flatMap((frame) =>
      frame.type === "event" && frame.room === room ? [frame] : []
    );
  }

  seqs(room: string): number[] {
    return this.entries(room).map(({ seq }) => seq);
  }

  /** Waits until the entry `seq` of a room has come. */
  async reach(room: string, seq: number, deadlineMs = 10_000): Promise<void> {
    const is = (frame: ServerFrame) =>
      frame.type === "event" && frame.room === room && frame.seq === seq;
    await this.wait(`entry ${seq}`, is, 0, deadlineMs);
  }

  /** Waits until the server has handled everything sent before, and all it wrote has come. */
  async settle(): Promise<void> {
    const from = this.frames.length;
    this.send({ type: "ping" });
    await this.wait("a pong", (frame) => frame.type === "pong", from);
  }

  /** Waits for the close. */
  async closed(deadlineMs = 10_000): Promise<Closing> {
    await until("the socket is closed", () => this.closing !== undefined, deadlineMs);
    return this.closing!;
  }

  /** Closes it and waits until it is closed. */
  async close(): Promise<void> {
    this.#socket.close();
    await this.closed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    if (this.#undocumented !== undefined) throw this.#undocumented;
  }

  #note({ id, type }: Deep): void {
    this.#asked.set(id, (this.#asked.get(id) ?? new Set()).add(String(type)));
  }

  #receive(data: string): void {
    this.wire.push(data);
    const parsed = JSON.parse(data);
    const frames: ServerFrame[] = Array.isArray(parsed) ? parsed : [parsed];
    this.frames.push(...frames);
    try {
      assert(frames.length > 0, "An empty array came");
      for (const frame of frames) {
        checkFrame(frame, frame.type === "ok" ? this.#asked.get(frame.id) : undefined);
      }
    } catch (error) {
      this.#undocumented ??= error;
    }
  }
}
