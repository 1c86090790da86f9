import type { PrincipalId, RoomId } from "../../lib/protocol.ts";
import type { Acknowledgement, WriteKind, WriteRecord } from "../history.ts";
import { type Answer, verdict } from "./api.ts";
import type { Writer } from "./client.ts";
import type { ReaderContext } from "./pages.ts";
import { againMs, wait } from "./waiting.ts";

const ALL = ["send", "edit", "delete", "add", "remove", "command", "cancel", "desire"] as const;

/** How a writer over REST behaves. */
export interface RestWriterOptions extends ReaderContext {
  name: string;
}

interface Call {
  method: string;
  path: string;
  body?: unknown;
}

/** What to ask for a write. */
function callOf(room: RoomId, what: WriteKind): Call {
  const messages = `/v1/rooms/${room}/messages`;
  switch (what.type) {
    case "send":
      return {
        method: "POST",
        path: messages,
        body: { clientId: what.clientId, text: what.text },
      };
    case "edit":
      return {
        method: "PATCH",
        path: `${messages}/${what.target}`,
        body: { clientId: what.clientId, text: what.text },
      };
    case "delete":
      return { method: "DELETE", path: `${messages}/${what.target}?clientId=${what.clientId}` };
    case "add":
      return {
        method: "PUT",
        path: `/v1/rooms/${room}/members/${what.principal}`,
        body: { role: what.role },
      };
    case "remove":
      return { method: "DELETE", path: `/v1/rooms/${room}/members/${what.principal}` };
    case "command": {
      const { type: _, device, ...body } = what;
      return { method: "POST", path: `/v1/rooms/${room}/devices/${device}/commands`, body };
    }
    case "cancel":
      return { method: "POST", path: `/v1/rooms/${room}/commands/${what.command}/cancel` };
    case "desire": {
      const { type: _, device, merge, ...body } = what;
      const path = `/v1/rooms/${room}/devices/${device}/state`;
      return { method: merge ? "PATCH" : "PUT", path, body };
    }
    case "answer":
      throw new TypeError("Only a device can answer");
  }
}

/**
 * What an answer proves. Its seq is 0 where the answer does not name that of the entry: removals,
 * repeated changes, additions of somebody who was there, commands that were taken back. A state is
 * answered as it is a moment later: its seq may be that of a later wish.
 */
function proofOf(what: WriteKind, { status, body }: Answer): Omit<Acknowledgement, "at"> {
  if (what.type === "remove") return { seq: 0, duplicate: false };
  if (what.type === "add") {
    return { seq: status === 201 ? body.member.joinedSeq : 0, duplicate: status !== 201 };
  }
  if (what.type === "desire") {
    return { seq: body.duplicate ? 0 : body.state.desiredVersion, duplicate: body.duplicate };
  }
  const { message, duplicate } = body;
  if (what.type === "cancel") return { seq: 0, duplicate };
  if (what.type === "command") return { seq: message.seq, duplicate, command: message.command.id };
  if (what.type === "send") return { seq: message.seq, duplicate };
  return { seq: duplicate ? 0 : message.updatedSeq, duplicate };
}

/** A person's program that writes over REST: each write is a request of its own, repeated. */
export class RestWriter implements Writer {
  readonly via = "rest";
  readonly writes = ALL;
  readonly connected = false;
  readonly name: string;
  readonly principal: PrincipalId;
  readonly #options: RestWriterOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #running = new Set<Promise<void>>();

  constructor(options: RestWriterOptions) {
    this.#options = options;
    this.name = options.name;
    this.principal = options.account.id;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  get backlog(): number {
    return this.#running.size;
  }

  follow(): void {
    // It only writes.
  }

  position(): undefined {
    return undefined;
  }

  cut(): number {
    return 0;
  }

  write(room: RoomId, what: WriteKind): WriteRecord {
    const record = this.#options.recorder.write(this.principal, room, this.via, what);
    const running = this.#repeat(record).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return record;
  }

  /** Writes and resolves when it is answered or given up. */
  async written(room: RoomId, what: WriteKind): Promise<WriteRecord> {
    const record = this.write(room, what);
    await [...this.#running].at(-1);
    return record;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #repeat(record: WriteRecord): Promise<void> {
    const { api, account, recorder } = this.#options;
    const { what, room } = record;
    const { method, path, body } = callOf(room, what);
    while (!this.#signal.aborted && !account.ended) {
      const token = await account.token();
      if (record.tries++ === 0) record.startedAt = recorder.now();
      const answer = await api.request(method, path, { token, body });
      const at = recorder.now();
      if (answer.code === "") {
        record.acks.push({ at, ...proofOf(what, answer) });
        return;
      }
      recorder.count(`rest ${what.type} ${answer.code}`);
      const then = verdict(answer.code);
      if (then === "token") account.refused(token);
      if (then === "final") {
        record.refusal = { at, code: answer.code };
        return;
      }
      await wait(answer.retryAfterMs ?? againMs(record.tries, api.random), this.#signal);
    }
  }
}
