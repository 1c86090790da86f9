import { wait } from "../clients/waiting.ts";
import type { FaultRecord } from "../history.ts";
import type { ProcessHandle } from "../world.ts";
import {
  type Card,
  describeExit,
  endRecorded,
  type Fault,
  killAndStart,
  pauseAndResume,
  type Scene,
} from "./fault.ts";

const LANE = "processes";
/** How long to look for a bridge that holds the lease: one may just be taking it over. */
const ACTIVE_MS = 8000;

/** The bridge that works now: what happens to the other one disturbs nobody. */
async function activeBridge({ world }: Scene, signal: AbortSignal) {
  const deadline = world.now() + ACTIVE_MS;
  while (world.now() < deadline && !signal.aborted) {
    const bridge = await world.activeBridge().catch(() => undefined);
    if (bridge !== undefined) return bridge;
    await wait(100, signal);
  }
  return undefined;
}

async function onActiveBridge(
  scene: Scene,
  { signal }: Card,
  work: (bridge: ProcessHandle) => Promise<FaultRecord[]>,
): Promise<FaultRecord[]> {
  const bridge = await activeBridge(scene, signal);
  if (bridge === undefined) return [];
  using _ = await scene.claims.take(bridge.name);
  return await work(bridge);
}

/** Records only a pause during which another bridge took the lease. */
async function outliveLease(
  scene: Scene,
  bridge: ProcessHandle,
  card: Card,
): Promise<FaultRecord[]> {
  let next: ProcessHandle | undefined;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted && next === undefined) {
      const active = await scene.world.activeBridge().catch(() => undefined);
      if (active !== undefined && active !== bridge) next = active;
      await wait(100, over.signal);
    }
  })();
  try {
    const taken = () => next !== undefined; // the database may be away in between
    const records = await pauseAndResume(scene, bridge, card, "bridge-pause", taken);
    return records.flatMap((record) =>
      next === undefined
        ? []
        : [{ ...record, evidence: `${record.evidence}; ${next.name} took the lease meanwhile` }]
    );
  } finally {
    over.abort();
    await watching;
  }
}

/** What happens to bridges. */
export const BRIDGE_FAULTS: Fault[] = [
  {
    class: "bridge-kill",
    lane: LANE,
    ms: [100, 1000],
    mendMs: 700,
    evidence: "exit of the active bridge by SIGKILL",
    inject: (scene, card) =>
      onActiveBridge(scene, card, (bridge) => killAndStart(scene, bridge, card, "bridge-kill")),
  },
  {
    class: "bridge-pause",
    lane: LANE,
    // The lease runs out 4 s after it was renewed; the pause lasts until another bridge has it
    ms: [5000, 6000],
    mendMs: 0,
    evidence: "state T in /proc, and another bridge that took the lease",
    inject: (scene, card) =>
      onActiveBridge(scene, card, (bridge) => outliveLease(scene, bridge, card)),
  },
  {
    class: "bridge-leave",
    lane: LANE,
    ms: [0, 500],
    mendMs: 1000,
    evidence: "exit of the active bridge after SIGINT",
    inject: (scene, card) =>
      onActiveBridge(scene, card, async (bridge) => {
        const from = scene.world.now();
        const exit = await endRecorded(scene.world, bridge, "SIGINT");
        await wait(card.forMs, card.signal);
        await bridge.start();
        if (exit === undefined) return [];
        const to = scene.world.now();
        const evidence = describeExit(exit);
        return [{ class: "bridge-leave", target: bridge.name, from, to, evidence }];
      }),
  },
];
