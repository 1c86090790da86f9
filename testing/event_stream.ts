import type { LogEntry } from "../lib/protocol.ts";
import { checkStreamEvent } from "./documented_frames.ts";
import { until } from "./until.ts";

/** One event of a stream (WHATWG HTML, section 9.2); `event` is `message` when it has no name. */
export interface StreamEvent {
  id: string | undefined;
  event: string;
  // deno-lint-ignore no-explicit-any -- tests look into data whose shape they assert
  data: any;
}

/**
 * An event stream read with fetch, as the SDK would; it notes everything that comes. Disposing of
 * it fails when something came that is not as the AsyncAPI document says.
 */
export class TestStream implements AsyncDisposable {
  readonly events: StreamEvent[] = [];
  /** True when the server has ended it. */
  ended = false;
  #reader: ReadableStreamDefaultReader<string> | undefined;
  #reading: Promise<void> = Promise.resolve();

  private constructor(readonly status: number, readonly headers: Headers) {}

  /** Opens `/v1/rooms/{room}/stream`; a refusal is the only event, named `problem`. */
  static async open(
    server: string,
    room: string,
    { token, query = {}, lastEventId }: {
      token?: string;
      query?: Record<string, string>;
      lastEventId?: string;
    },
  ): Promise<TestStream> {
    const url = `${server}/v1/rooms/${room}/stream?${new URLSearchParams(query)}`;
    const response = await fetch(url, {
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      },
    });
    const stream = new TestStream(response.status, response.headers);
    if (response.status === 200) {
      stream.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      stream.#reading = stream.#read(stream.#reader);
    } else stream.events.push({ id: undefined, event: "problem", data: await response.json() });
    return stream;
  }

  /** Waits for an event of this name. */
  async wait(event: string, deadlineMs = 10_000): Promise<StreamEvent> {
    let found: StreamEvent | undefined;
    const find = () => (found = this.events.find((one) => one.event === event)) !== undefined;
    await until(`the event ${event}`, () => {
      if (!find() && this.ended) throw new Error(`Ended without the event ${event}`);
      return found !== undefined;
    }, deadlineMs);
    return found!;
  }

  /** The log entries so far. */
  get entries(): LogEntry[] {
    return this.events.filter(({ event }) => event === "message").map(({ data }) => data);
  }

  get seqs(): number[] {
    return this.entries.map(({ seq }) => seq);
  }

  /** Waits until the entry `seq` has come. */
  async reach(seq: number): Promise<void> {
    await until(`entry ${seq}`, () => this.seqs.includes(seq));
  }

  /** Waits until the server ends the stream. */
  async end(deadlineMs = 10_000): Promise<void> {
    await until("the stream ends", () => this.ended, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not with an AbortSignal of fetch: it may be forgotten (garbage collected) before its time.
    await this.#reader?.cancel();
    await this.#reading;
    if (this.status !== 200) return;
    for (const { event, data } of this.events) checkStreamEvent(event, data);
  }

  async #read(reader: ReadableStreamDefaultReader<string>): Promise<void> {
    let text = "";
    try {
      for (let part; !(part = await reader.read()).done;) {
        const blocks = (text + part.value).split("\n\n");
        text = blocks.pop()!;
        for (const block of blocks) this.#take(block);
      }
    } catch {
      // The connection broke.
    }
    this.ended = true;
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trimStart());
    }
    const data = fields.get("data");
    if (data === undefined) return;
    this.events.push({
      id: fields.get("id"),
      event: fields.get("event") ?? "message",
      data: JSON.parse(data),
    });
  }
}
