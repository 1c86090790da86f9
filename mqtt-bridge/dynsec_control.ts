import { ConfabError } from "../lib/errors.ts";
import type { Subscription } from "./connection.ts";
import type { Publisher } from "./ports.ts";

/** A command of Mosquitto's dynamic security plugin. */
export interface DynsecCommand {
  command: string;
  [field: string]: unknown;
}

/** What the plugin says to a command. */
export interface DynsecAnswer {
  command: string;
  error?: string;
  correlationData?: string;
  data?: unknown;
}

/** How to reach the plugin. */
export interface DynsecControlOptions {
  publisher: Publisher;
  /** Nobody waits for answers any more. */
  signal?: AbortSignal | undefined;
  /** Default 5,000, for each answer of the broker. */
  deadlineMs?: number | undefined;
}

const TOPIC = "$CONTROL/dynamic-security/v1";

/** Speaks with the plugin over the bridge's connection: one list of commands, one of answers. */
export class DynsecControl {
  /** What the connection must subscribe to; deliveries go to `receive()`. */
  static readonly subscription: Subscription = { filter: `${TOPIC}/response`, qos: 0, rh: 2 };

  readonly #waiting = new Map<string, (answers: DynsecAnswer[]) => void>();

  constructor(private readonly o: DynsecControlOptions) {}

  /** True for the topic of the plugin's answers. */
  static answersOn(topic: string): boolean {
    return topic === DynsecControl.subscription.filter;
  }

  /** Takes an answer of the plugin. */
  receive(payload: Uint8Array): void {
    let answers: DynsecAnswer[];
    try {
      answers = JSON.parse(new TextDecoder().decode(payload)).responses ?? [];
    } catch {
      return;
    }
    const key = answers[0]?.correlationData;
    if (key !== undefined) this.#waiting.get(key)?.(answers);
  }

  /** Resolves with an answer for each command, in order. Throws `unavailable` when none come. */
  async ask(commands: DynsecCommand[]): Promise<DynsecAnswer[]> {
    const { signal, deadlineMs = 5000 } = this.o;
    signal?.throwIfAborted();
    const key = crypto.randomUUID();
    const [first, ...rest] = commands;
    const marked = [{ ...first, correlationData: key }, ...rest];
    const answered = Promise.withResolvers<DynsecAnswer[]>();
    answered.promise.catch(() => {});
    this.#waiting.set(key, answered.resolve);
    const giveUp = () =>
      answered.reject(new ConfabError("unavailable", "The broker's credentials cannot be changed"));
    const timer = setTimeout(giveUp, deadlineMs);
    signal?.addEventListener("abort", giveUp);
    try {
      await this.o.publisher.publish(TOPIC, JSON.stringify({ commands: marked }));
      return await answered.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      this.#waiting.delete(key);
    }
  }
}
