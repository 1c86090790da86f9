import { wait } from "../clients/waiting.ts";
import type { FaultRecord } from "../history.ts";
import type { NodeHandle } from "../world.ts";
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
const CLOCK_MS = 600_000;
/** How much of that a clock must be off; a start under load takes its time. */
const CLEARLY_MS = 500_000;

/** Does something to one running web node, which nobody else touches meanwhile. */
async function onNode(
  { world, claims }: Scene,
  { random }: Card,
  work: (node: NodeHandle) => Promise<FaultRecord[]>,
): Promise<FaultRecord[]> {
  const running = world.nodes.filter((node) => node.running);
  if (running.length === 0) return [];
  const node = random.pick(running);
  using _ = await claims.take(node.name);
  return await work(node);
}

/** SIGINT, a while without it, and a start: what a deployment does. */
async function leaveAndStart(
  { world }: Scene,
  node: NodeHandle,
  { forMs, signal }: Card,
  name: string,
): Promise<FaultRecord[]> {
  const from = world.now();
  const exit = await endRecorded(world, node, "SIGINT");
  await wait(forMs, signal);
  await node.start();
  if (exit === undefined) return [];
  const to = world.now();
  return [{ class: name, target: node.name, from, to, evidence: describeExit(exit) }];
}

async function withWrongClock(
  { world }: Scene,
  node: NodeHandle,
  { forMs, random, signal }: Card,
): Promise<FaultRecord[]> {
  const offsetMs = random.pick([CLOCK_MS, -CLOCK_MS]);
  await node.end("SIGINT");
  const from = world.now();
  await node.startWithClock(offsetMs);
  const foundMs = await node.clockOffsetMs();
  await wait(forMs, signal);
  await node.end("SIGINT");
  await node.start();
  if (foundMs * Math.sign(offsetMs) < CLEARLY_MS) return [];
  const evidence = `its log was ${(foundMs / 1000).toFixed(1)} s ahead of our clock`;
  return [{ class: "web-clock", target: node.name, from, to: world.now(), evidence }];
}

/** What happens to web nodes. */
export const WEB_FAULTS: Fault[] = [
  {
    class: "web-kill",
    lane: LANE,
    ms: [100, 1000],
    mendMs: 700,
    evidence: "exit by SIGKILL",
    inject: (scene, card) =>
      onNode(scene, card, (node) => killAndStart(scene, node, card, "web-kill")),
  },
  {
    class: "web-pause",
    lane: LANE,
    ms: [1000, 6000],
    mendMs: 0,
    evidence: "state T in /proc",
    inject: (scene, card) =>
      onNode(scene, card, (node) => pauseAndResume(scene, node, card, "web-pause")),
  },
  {
    class: "web-leave",
    lane: LANE,
    ms: [0, 500],
    mendMs: 1000,
    evidence: "an exit after SIGINT; its code and time are judged by the check of processes",
    inject: (scene, card) =>
      onNode(scene, card, (node) => leaveAndStart(scene, node, card, "web-leave")),
  },
  {
    class: "web-clock",
    lane: LANE,
    ms: [1000, 2500],
    mendMs: 1700,
    evidence: "times in the node's log ten minutes off",
    inject: (scene, card) => onNode(scene, card, (node) => withWrongClock(scene, node, card)),
  },
  {
    class: "web-rolling",
    lane: LANE,
    ms: [0, 0],
    mendMs: 3000,
    evidence: "an exit of every web node after SIGINT, one after the other",
    async inject(scene, card) {
      const records: FaultRecord[] = [];
      for (const node of card.random.shuffle(scene.world.nodes)) {
        using _ = await scene.claims.take(node.name);
        records.push(...await leaveAndStart(scene, node, card, "web-rolling"));
      }
      return records.length === scene.world.nodes.length ? records : [];
    },
  },
];
