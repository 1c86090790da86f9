import type { TelemetryRule } from "../../lib/client/mod.ts";

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 12 });

/** A rule as a sentence: "temp above 30 °C, again after 28 °C". */
export function ruleWords(
  { metric, kind, threshold, hysteresis, seconds, unit }: TelemetryRule,
): string {
  const value = (of = 0) => unit === undefined ? number.format(of) : `${number.format(of)} ${unit}`;
  if (kind === "silence") return `${metric} silent for ${durationWords(seconds ?? 0)}`;
  if (kind === "digest") return `${metric} as a digest every ${durationWords(seconds ?? 0)}`;
  if (kind === "change") return `${metric} changes by ${value(threshold)}`;
  const back = kind === "above" ? -(hysteresis ?? 0) : hysteresis ?? 0;
  const again = back === 0 ? "" : `, again after ${value((threshold ?? 0) + back)}`;
  return `${metric} ${kind} ${value(threshold)}${again}`;
}

/** In the largest unit that needs no fraction: "90 s", "5 min", "1 h". */
export function durationWords(seconds: number): string {
  const units = [[86_400, "d"], [3600, "h"], [60, "min"]] as const;
  const [length, name] = units.find(([length]) => seconds > 0 && seconds % length === 0) ??
    [1, "s"];
  return `${number.format(seconds / length)} ${name}`;
}
