import type { Json, Metadata } from "./protocol.ts";

/**
 * A command as one would type it: `/cmd pump1 start mode="slow" speed=3`, its arguments in the order
 * of their names. What lib/client/command_line.ts reads from it, among devices of which none has the
 * name of another or begins with it, is this very command.
 */
export function commandLine(device: string, name: string, args: Metadata): string {
  const words = Object.entries(args).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, value]) => `${word(key)}=${valueText(value)}`);
  return ["/cmd", word(device), name, ...words].join(" ");
}

/** In quotes, as JSON, where it would not be read as one word. */
function word(text: string): string {
  return /^[^\s"'=]+$/.test(text) ? text : JSON.stringify(text);
}

/** Integers beyond the exact ones have an exponent: without, they would be read as text. */
function valueText(value: Json): string {
  const inexact = Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact ? (value as number).toExponential() : JSON.stringify(value);
}
