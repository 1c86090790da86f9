import type { PrincipalId } from "../lib/protocol.ts";
import type { WorkloadWorld } from "./workload.ts";
import type { Cast } from "./workload_cast.ts";
import { Commands } from "./workload_commands.ts";
import type { WorkloadPart } from "./workload_part.ts";
import { Wishes } from "./workload_states.ts";

/** What people and devices do in a run beside talking; `gone` says whose access has ended. */
export function workloadParts(
  cast: Cast,
  { postgres }: WorkloadWorld,
  gone: (principal: PrincipalId) => boolean,
): WorkloadPart[] {
  if (cast.devices.size === 0) return [];
  return [new Commands(cast, postgres, gone), new Wishes(cast, gone)];
}
