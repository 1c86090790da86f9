import { expireDueCommands } from "../lib/chat/command_answers.ts";
import { alertSilence } from "../lib/chat/device_silence.ts";
import type { Services } from "../lib/services.ts";
import { every } from "./every.ts";
import { sweep } from "./sweeps.ts";
import { forgetTelemetry, rollUp } from "./telemetry.ts";

const SWEEP_MS = 60_000;
const ROLL_UP_MS = 5000;
const EXPIRY_MS = 1000;
const SILENCE_MS = 5000;

/** Starts the role `workers`: regular work that nobody waits for. A failed round is repeated later. */
export function startWorkers(
  { db, chat, log }: Pick<Services, "db" | "chat" | "log">,
): { stop(): Promise<void> } {
  const failed = (what: string) => (error: unknown) => log.warn(`${what} failed`, { error });
  const works = [
    every(SILENCE_MS, (signal) => alertSilence(chat, signal), failed("Looking for silent devices")),
    every(SWEEP_MS, () => sweep(db, log), failed("A sweep")),
    every(ROLL_UP_MS, (signal) => rollUp(db, signal), failed("Rolling telemetry up")),
    every(SWEEP_MS, (signal) => forgetTelemetry(db, signal), failed("Forgetting telemetry")),
    every(EXPIRY_MS, (stopping) => expireDueCommands(chat, stopping), failed("Expiring commands")),
  ];
  return {
    async stop() {
      await Promise.all(works.map((work) => work.stop()));
    },
  };
}
