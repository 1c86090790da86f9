import { wait } from "./clients/waiting.ts";
import { Claims } from "./faults/claims.ts";
import { DECK } from "./faults/deck.ts";
import { type Crowd, LANES, type Scene } from "./faults/fault.ts";
import type { FaultRecord } from "./history.ts";
import type { Plan, PlannedFault } from "./nemesis_plan.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** What a nemesis works on. */
export interface NemesisOptions {
  world: World;
  crowd: Crowd;
  plan: Plan;
  /** Ends it early: faults in force are mended, no more come. */
  signal: AbortSignal;
  /** Told of every fault when it is over. */
  log?: (line: string) => void;
}

/** What a nemesis did. */
export interface NemesisResult {
  /** What really happened, in order of time. */
  records: FaultRecord[];
  /** Classes of the plan that nothing shows, with the reason: a run with any of them fails. */
  unseen: { class: string; reason: string }[];
  /** When everything answered again, by the clock of the world. */
  healedAt: number;
}

/**
 * Breaks the world as the plan says: up to three faults at a time, one of each lane. Then heals it.
 * On a slow machine a lane falls behind its times: then every class of the plan still comes, but
 * none comes again once the time is over. What did not show has a second chance at the end.
 *
 * @throws when the world does not heal
 */
export async function torment(options: NemesisOptions): Promise<NemesisResult> {
  const { world, crowd, plan, signal, log = () => {} } = options;
  const scene: Scene = { world, crowd, claims: new Claims() };
  const records: FaultRecord[] = [];
  const reasons = new Map<string, string>();
  const startedAt = world.now();
  const seen = (name: string) => records.some((record) => record.class === name);
  const play = async (planned: PlannedFault) => {
    const outcome = await injectOne(scene, planned, signal);
    records.push(...outcome.records);
    if (outcome.reason !== undefined) reasons.set(planned.class, outcome.reason);
    log(describe(world, planned, outcome));
  };
  await Promise.all(LANES.map(async (lane) => {
    const faults = plan.faults.filter((fault) => fault.lane === lane);
    for (const planned of faults) {
      await wait(Math.max(0, startedAt + planned.atMs - world.now()), signal);
      if (signal.aborted) return;
      const late = world.now() - startedAt > plan.seconds * 1000;
      if (!late || !seen(planned.class)) await play(planned);
    }
    for (const planned of faults) {
      if (!signal.aborted && !seen(planned.class)) {
        await play({ ...planned, seed: planned.seed + 1 });
      }
    }
  }));
  await world.heal();
  const healedAt = world.now();
  const unseen = plan.dealt.filter((name) => !seen(name)).map((name) => ({
    class: name,
    reason: reasons.get(name) ?? "the run ended before",
  }));
  records.sort((a, b) => a.from - b.from);
  return { records, unseen, healedAt };
}

interface Outcome {
  records: FaultRecord[];
  /** Why there is no record. */
  reason?: string;
}

async function injectOne(
  scene: Scene,
  planned: PlannedFault,
  signal: AbortSignal,
): Promise<Outcome> {
  const fault = DECK.find((one) => one.class === planned.class)!;
  const card = { forMs: planned.forMs, random: new Random(planned.seed), signal };
  try {
    const records = await fault.inject(scene, card);
    if (records.length > 0) return { records };
    return { records, reason: `it did not show: ${fault.evidence}` };
  } catch (error) {
    return { records: [], reason: error instanceof Error ? error.message : String(error) };
  }
}

function describe(world: World, planned: PlannedFault, { records, reason }: Outcome): string {
  const at = `${(world.now() / 1000).toFixed(1)} s`;
  if (records.length === 0) return `${at}  ${planned.class}: NOT SEEN, ${reason}`;
  return records.map((record) =>
    `${at}  ${record.class} ${record.target} ${Math.round(record.to - record.from)} ms: ` +
    record.evidence
  ).join("\n");
}
