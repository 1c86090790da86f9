import type { Message } from "../protocol.ts";

/** The messages of one room that are held here: a gapless run in ascending order, bounded. */
export class Timeline {
  #messages: Message[] = [];
  #maxMessages: number;
  #records = new Set<Message[]>();
  #hasEarlier = false;

  constructor(maxMessages = 2000) {
    this.#maxMessages = maxMessages;
  }

  /** Ascending by `seq`; deleted ones are tombstones. A new array after every change. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** True when the room holds older messages than these. */
  get hasEarlier(): boolean {
    return this.#hasEarlier;
  }

  /** True when no older message fits. */
  get full(): boolean {
    return this.#messages.length >= this.#maxMessages;
  }

  /** The message with this seq, when it is held. */
  get(seq: number): Message | undefined {
    const found = this.#messages[this.#position(seq)];
    return found?.seq === seq ? found : undefined;
  }

  /** Adds a message that was just created; one that is known already changes nothing. */
  add(message: Message): void {
    if (this.get(message.seq) !== undefined) return;
    this.#insert([message]);
    if (this.#messages.length <= this.#maxMessages) return;
    this.#messages = this.#messages.slice(-Math.ceil(this.#maxMessages * 0.8));
    this.#hasEarlier = true;
  }

  /**
   * Applies a change made by log entry `seq`: ignored when the message held is as new, or not
   * held. Returns whether anything changed.
   */
  change(seq: number, message: Message): boolean {
    const changed = { ...message, updatedSeq: Math.max(seq, message.updatedSeq) };
    for (const record of this.#records) record.push(changed);
    return this.#replace(changed);
  }

  /**
   * Begins to load a page: changes that arrive until {@link PageLoad.merge} are applied to it
   * too, because the page may show its messages as they were before them.
   */
  beginLoad(): PageLoad {
    const record: Message[] = [];
    this.#records.add(record);
    return {
      merge: (messages, hasEarlier) => {
        this.#records.delete(record);
        this.#insert(messages);
        for (const changed of [...messages, ...record]) this.#replace(changed);
        if (hasEarlier !== undefined) this.#hasEarlier = hasEarlier;
      },
      abandon: () => void this.#records.delete(record),
    };
  }

  /** Forgets everything. */
  clear(): void {
    this.#messages = [];
    this.#hasEarlier = false;
  }

  #replace(changed: Message): boolean {
    const at = this.#position(changed.seq);
    const held = this.#messages[at];
    if (held?.seq !== changed.seq || held.updatedSeq >= changed.updatedSeq) return false;
    this.#messages = this.#messages.with(at, changed);
    return true;
  }

  #insert(messages: Message[]): void {
    const fresh = messages.filter((message) => this.get(message.seq) === undefined);
    const all = [...this.#messages, ...fresh];
    const last = this.#messages.at(-1);
    const appended = last === undefined || fresh.length === 1 && fresh[0]!.seq > last.seq;
    this.#messages = appended && fresh.length <= 1 ? all : all.sort((a, b) => a.seq - b.seq);
  }

  /** Where `seq` is or would be. */
  #position(seq: number): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#messages[middle]!.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A page under way. */
export interface PageLoad {
  /** Takes the page in; `hasEarlier` tells whether older messages remain before it. */
  merge(messages: Message[], hasEarlier?: boolean): void;
  abandon(): void;
}
