import type { Metadata } from "../lib/client/mod.ts";

/** What one of the two people does at a moment of the demo. */
export type Scene =
  & { at: number; who: "ada" | "grace" }
  & (
    | { say: string }
    | { device: string; command: string; args?: Metadata }
    | { device: string; desired: Metadata }
  );

/**
 * What the two people say and do in the first minutes; `at` is in seconds. With the seed 18, which is
 * the default, valve 6 sticks after a minute.
 */
export const SCRIPT: Scene[] = [
  { at: 2, who: "grace", say: "Morning. All thirty are online, the plant runs on automatic." },
  { at: 5, who: "ada", say: "Thanks. I want more bottles today." },
  { at: 8, who: "ada", device: "Filling line", desired: { speed: 3 } },
  { at: 12, who: "grace", device: "Tank 4", command: "measure" },
  { at: 18, who: "ada", device: "Pump 2", command: "start", args: { speed: 3 } },
  { at: 24, who: "grace", device: "Valve 8", command: "open", args: { opening: 30 } },
  { at: 36, who: "grace", device: "Valve 8", command: "close" },
  { at: 44, who: "ada", device: "Pump 2", command: "set-speed", args: { speed: 9 } },
  { at: 50, who: "grace", say: "It goes up to 5 only." },
  { at: 54, who: "ada", device: "Pump 2", command: "auto" },
  { at: 72, who: "grace", say: "Valve 6 hardly moves. Let me ask it for 80 per cent." },
  { at: 76, who: "grace", device: "Valve 6", desired: { opening: 80 } },
];
