import type { Pieces } from "./pieces.ts";
import type { ModelStore } from "./store.ts";

/** A question to the store under way: it takes its snapshot at one moment and answers at another. */
export interface Question {
  what: string;
  /** Reads; called once. */
  take(): void;
  answer(): void;
  fail(): void;
  taken: boolean;
}

/** What nodes and clients of a world live in: its store, its time, its questions. */
export class Surroundings {
  readonly questions: Question[] = [];
  readonly timers: (() => void)[] = [];
  /** What happened, when somebody wants to read it. */
  story: string[] | undefined;

  constructor(readonly pieces: Pieces, readonly store: ModelStore) {}

  /** Asks the store; `read` runs at some later moment, then `done` or `failed` at a later one. */
  ask<T>(what: string, read: () => T, done: (found: T) => void, failed: () => void): void {
    let found: T;
    this.questions.push({
      what,
      take: () => void (found = read()),
      answer: () => done(found),
      fail: failed,
      taken: false,
    });
  }

  /** Lets the question at `index` take its snapshot or, after that, be answered. */
  step(index: number): void {
    const question = this.questions[index]!;
    if (!question.taken) {
      this.tell(() => `the store reads: ${question.what}`);
      question.taken = true;
      return question.take();
    }
    this.tell(() => `the store answers: ${question.what}`);
    this.questions.splice(index, 1);
    question.answer();
  }

  /** Lets the question at `index` fail. */
  fail(index: number): void {
    const [question] = this.questions.splice(index, 1);
    this.tell(() => `the store fails: ${question!.what}`);
    question!.fail();
  }

  /** Runs `callback` some time; the returned function cancels it. */
  after(callback: () => void): () => void {
    this.timers.push(callback);
    return () => {
      const index = this.timers.indexOf(callback);
      if (index >= 0) this.timers.splice(index, 1);
    };
  }

  /** Ends the wait at `index`. */
  fire(index: number): void {
    const [callback] = this.timers.splice(index, 1);
    callback!();
  }

  /** Adds to the story; `line` is not called when nobody reads it. */
  tell(line: () => string): void {
    this.story?.push(line());
  }
}
