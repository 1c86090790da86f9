import type { Json, Metadata } from "../../lib/protocol.ts";
import type { StateSettledRecord } from "../history_devices.ts";
import { isSame } from "../json_same.ts";
import type { Check } from "../violation.ts";

/**
 * Once everything was healed, what the broker keeps on `desired` is what the database says: the
 * newest version, with what is left to do of it; and what is reported is what the device said last,
 * however long it was away.
 */
export const statesKept: Check = ({ devices }) =>
  devices.settled.flatMap((record) => {
    const message = wrongState(record);
    return message === undefined ? [] : [{ check: "states kept", message, evidence: record }];
  });

/** Says what of a state at the end is wrong. */
export function wrongState({ state, kept, said }: StateSettledRecord): string | undefined {
  const { desired, desiredVersion, reported, delta } = state;
  if (!isSame(delta, leftToDo(desired ?? {}, reported ?? {}))) {
    return "What is said to be left to do is not the difference";
  }
  if (!isSame(reported, said)) return "What is reported is not what the device said last";
  if (desired === undefined) {
    return kept === undefined ? undefined : "The broker keeps a desired state that is no more";
  }
  if (kept === undefined) return "The broker does not keep the desired state";
  if (kept.version !== desiredVersion) {
    return `The broker keeps version ${kept.version} of the desired state, not ${desiredVersion}`;
  }
  if (!isSame(kept.desired, desired)) return "The broker keeps another desired state";
  if (!isSame(kept.delta ?? {}, delta)) return "The broker keeps something else to do";
}

/** Of what is desired: whatever is not so, whole members of objects only where both are objects. */
export function leftToDo(desired: Metadata, reported: Metadata): Metadata {
  const left: Metadata = {};
  for (const name of Object.keys(desired)) {
    const [wanted, is] = [desired[name]!, reported[name]];
    if (isSame(wanted, is)) continue;
    const inner = isObject(wanted) && isObject(is) ? leftToDo(wanted, is) : undefined;
    if (inner === undefined) left[name] = wanted;
    else if (Object.keys(inner).length > 0) left[name] = inner;
  }
  return left;
}

function isObject(value: Json | undefined): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
