import type { ExitRecord } from "../history.ts";
import type { Check, Violation } from "../violation.ts";

/** Milliseconds from the signal to the end: the promise, and half a second to see it. */
const LEAVE_MS = 4000 + 500;

/**
 * P10: a process ends only when it is told to; a node or bridge that is asked politely ends with
 * code 0 within four seconds; none of ours writes of an error that nobody caught.
 */
export const processes: Check = (history) => {
  const violations: Violation[] = [];
  for (const exit of history.exits) {
    const message = wrongEnd(exit) ?? uncaught(exit);
    if (message !== undefined) {
      violations.push({ check: "processes", message, evidence: exit });
    }
  }
  return violations;
};

function isOurs({ name }: ExitRecord): boolean {
  return /^(web|node|bridge|workers)/.test(name);
}

function wrongEnd(exit: ExitRecord): string | undefined {
  const { name, at, code, told, starting } = exit;
  if (starting) return;
  if (told === undefined) return `${name} ended by itself with code ${code}`;
  if (!isOurs(exit) || told.signal === "SIGKILL") return;
  if (code !== 0) return `${name} ended with code ${code} after ${told.signal}`;
  const ms = Math.round(at - told.at);
  if (ms > LEAVE_MS) return `${name} ended ${ms} ms after ${told.signal}`;
}

function uncaught(exit: ExitRecord): string | undefined {
  if (!isOurs(exit)) return;
  const found = /^.*(\bUncaught\b|unhandled rejection|panicked at|out of memory).*$/im
    .exec(exit.stderr);
  if (found !== null) return `${exit.name} wrote: ${found[0].trim().slice(0, 200)}`;
}
