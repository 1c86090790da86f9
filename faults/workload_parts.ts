import type { WorkloadWorld } from "./workload.ts";
import type { Cast } from "./workload_cast.ts";
import type { WorkloadPart } from "./workload_part.ts";

/** What people and devices do in a run beside talking. */
export function workloadParts(_cast: Cast, _world: WorkloadWorld): WorkloadPart[] {
  return [];
}
