import type { Check, Violation } from "../violation.ts";

/** Milliseconds from the healing of the last fault, or the last acknowledgement after it. */
const BOUND_MS = 5000;

/** P5, P6: soon after the last fault was healed every reading client has the head of its room. */
export const converged: Check = ({ convergence }) => {
  if (convergence === undefined) {
    return [{ check: "converged", message: "The run did not wait for its readers", evidence: {} }];
  }
  const from = Math.max(convergence.healedAt, convergence.lastAckAt);
  const violations: Violation[] = [];
  for (const reached of convergence.reached) {
    if (reached.at !== undefined && reached.at <= from + BOUND_MS) continue;
    const when = reached.at === undefined ? "never" : `${Math.round(reached.at - from)} ms later`;
    violations.push({
      check: "converged",
      message: `${reached.client} reached the head ${when}`,
      evidence: reached,
    });
  }
  return violations;
};
