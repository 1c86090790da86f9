import type { LogEntry, LogEvent, Message, MessageBody, PublicPrincipal } from "../../protocol.ts";

/** A room's log as the contract describes it, in memory. */
export class ScriptedRoom {
  epoch = "epoch-1";
  floor = 0;
  read = 0;
  entries: LogEntry[] = [];
  readonly id: string;
  #now: () => number;
  #keys = new Map<string, number>();

  constructor(id: string, now: () => number) {
    this.id = id;
    this.#now = now;
  }

  get head(): number {
    return this.entries.at(-1)?.seq ?? this.floor;
  }

  /** Stores a message once for each sender and clientId. */
  send(sender: PublicPrincipal, clientId: string, body: MessageBody): {
    entry: LogEntry;
    duplicate: boolean;
  } {
    const key = `${sender.id} ${clientId}`;
    const known = this.#keys.get(key);
    if (known !== undefined) {
      return { entry: this.entries.find((entry) => entry.seq === known)!, duplicate: true };
    }
    const seq = this.head + 1;
    this.#keys.set(key, seq);
    const at = new Date(this.#now()).toISOString();
    const { text, data } = body;
    const message: Message = {
      room: this.id,
      seq,
      sender,
      at,
      clientId,
      ...(text === undefined ? {} : { text }),
      ...(data === undefined ? {} : { data }),
      attachments: body.attachments ?? [],
      updatedSeq: seq,
    };
    return {
      entry: this.append({ type: "message.created", actor: sender, at, message }),
      duplicate: false,
    };
  }

  /** Changes a message; every entry about it shows its current content from then on. */
  change(actor: PublicPrincipal, target: number, text: string | undefined): LogEntry {
    const at = new Date(this.#now()).toISOString();
    const { text: _, ...rest } = this.messages().find((message) => message.seq === target)!;
    const updatedSeq = this.head + 1;
    const message: Message = text === undefined
      ? { ...rest, attachments: [], deletedAt: at, updatedSeq }
      : { ...rest, text, editedAt: at, updatedSeq };
    const type = text === undefined ? "message.deleted" : "message.edited";
    for (const { event } of this.entries) {
      if ("message" in event && event.message.seq === target) event.message = message;
    }
    return this.append({ type, actor, at, target, message });
  }

  append(event: LogEvent): LogEntry {
    const entry = { room: this.id, epoch: this.epoch, seq: this.head + 1, event };
    this.entries.push(entry);
    return entry;
  }

  /** The messages as a fresh read shows them. */
  messages(): Message[] {
    return this.entries.flatMap(({ event }) =>
      event.type === "message.created" ? [event.message] : []
    );
  }

  /** A restore: another epoch, and only `keep` entries left. */
  rewind(keep: number): void {
    this.epoch += "+";
    this.entries = this.entries.slice(0, keep).map((entry) => ({ ...entry, epoch: this.epoch }));
  }
}
