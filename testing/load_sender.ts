import type { TestSocket } from "./test_socket.ts";

/** A message that a sender sent; `seq` once it was acknowledged. */
export interface SentMessage {
  clientId: string;
  text: string;
  seq?: number;
}

/** Keeps some sends in flight on one socket, and remembers what was acknowledged. */
export class LoadSender {
  readonly sent: SentMessage[] = [];
  /** Codes that sends were refused with. */
  readonly refusals: string[] = [];
  #inFlight = 0;
  #seen = 0;

  constructor(readonly socket: TestSocket, readonly room: string, readonly name: string) {}

  get acked(): SentMessage[] {
    return this.sent.filter(({ seq }) => seq !== undefined);
  }

  /** Sends, at most `width` at once, until the socket is closed. */
  async run(width = 8): Promise<void> {
    while (this.socket.closing === undefined) {
      this.#read();
      for (; this.#inFlight < width; this.#inFlight++) this.#send();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.#read();
  }

  #send(): void {
    const number = this.sent.length;
    const message = { clientId: `${this.name}-${number}`, text: `${this.name} says ${number}` };
    this.sent.push(message);
    this.socket.send({ type: "send", id: `${number}`, room: this.room, ...message });
  }

  #read(): void {
    const { frames } = this.socket;
    for (; this.#seen < frames.length; this.#seen++) {
      const frame = frames[this.#seen]!;
      if (frame.type === "error") this.refusals.push(frame.code);
      const message = "id" in frame ? this.sent[Number(frame.id)] : undefined;
      if (message === undefined) continue;
      this.#inFlight--;
      if (frame.type === "ok") message.seq = frame.seq as number;
    }
  }
}
