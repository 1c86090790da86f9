import type { ReadAnswer } from "./answers.ts";
import type { Clock } from "./clock.ts";

/** Reads within this time become one request. */
const COALESCE_MS = 400;

/** The read cursor of one room: only rises, and is told to the server at most every 400 ms. */
export class ReadCursor {
  #clock: Clock;
  #send: (seq: number) => Promise<ReadAnswer>;
  #answered: (answer: ReadAnswer) => void;
  #wanted = 0;
  #read = 0;
  #busy = false;
  #cancelTimer: (() => void) | undefined;

  constructor(
    clock: Clock,
    send: (seq: number) => Promise<ReadAnswer>,
    answered: (answer: ReadAnswer) => void,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#answered = answered;
  }

  /** Everything up to here was read, as far as is known here. */
  get seq(): number {
    return Math.max(this.#read, this.#wanted);
  }

  /** What the server holds. */
  learn(seq: number): void {
    this.#read = Math.max(this.#read, seq);
  }

  /** Reads up to `seq`; true when that is news. */
  mark(seq: number): boolean {
    if (seq <= this.seq) return false;
    this.#wanted = seq;
    this.#cancelTimer ??= this.#clock.after(COALESCE_MS, () => {
      this.#cancelTimer = undefined;
      this.flush();
    });
    return true;
  }

  /** Tells the server now if it does not know; a failure is repeated at the next flush. */
  flush(): void {
    if (this.#busy || this.#wanted <= this.#read) return;
    this.#busy = true;
    const seq = this.#wanted;
    this.#send(seq).then((answer) => {
      this.learn(Math.max(answer.read, seq));
      this.#answered(answer);
    }, () => {}).finally(() => {
      this.#busy = false;
    });
  }

  /** Another history began: what was read counts no more. */
  reset(): void {
    this.#wanted = 0;
    this.#read = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
