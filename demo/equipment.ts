import type { CommandDefinition, Metadata, TelemetryRule } from "../lib/client/mod.ts";

/** A command that a device takes, as it tells Confab, and what it does then. */
export interface Action extends CommandDefinition {
  /** Obeys and answers; throws Refusal when it cannot. */
  run(args: Metadata): string;
}

/** Why a device does not do what it is asked to. */
export class Refusal extends Error {}

/** One device of the plant, as its firmware sees it: no network in here. */
export interface Equipment {
  name: string;
  /** What it measures at this moment. */
  readings(): Record<string, number | boolean | string>;
  /** What it is. */
  reported(): Metadata;
  /** What it shall be; it may take its time, or not know some of it. */
  desire(desired: Metadata): void;
  actions: Action[];
  /** Readings that the room should hear of. */
  rules: TelemetryRule[];
  /** It should be heard so often. */
  expectedSeconds?: number;
}

/** A number within bounds from what somebody wrote; throws Refusal. */
export function numberIn(value: unknown, name: string, low: number, high: number): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw new Refusal(`${name} must be a number from ${low} to ${high}`);
}

/** With as many decimals as a display has. */
export function rounded(value: number, decimals = 1): number {
  return Number(value.toFixed(decimals));
}
