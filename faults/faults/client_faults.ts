import { wait } from "../clients/waiting.ts";
import type { FaultRecord } from "../history.ts";
import type { LinkHandle } from "../world.ts";
import type { Card, Fault, Scene } from "./fault.ts";

const LANE = "servers";
/** How long the links stay broken after the last message, and how long the silence lasts. */
const BROKEN_MS = 800;
const SILENCE_MS = 5500;
/** How long to wait for sockets that are open: another fault may just have ended them all. */
const SOCKETS_MS = 5000;

/**
 * The last messages are sent while no node reaches Redis; what the proxies held of them is thrown
 * away, the links open again, and nobody writes: only the beacon can bring them.
 */
async function losePublishes(
  { world, crowd, claims }: Scene,
  { random, signal }: Card,
): Promise<FaultRecord[]> {
  const links = world.links({ from: "web", to: "redis" });
  using _ = await claims.take(...links.map(({ name }) => name));
  const how = random.pick(["cut", "blackHole"] as const);
  const from = world.now();
  const open = links.reduce((sum, link) => sum + link.open, 0);
  const refusedBefore = refusals(links);
  for (const link of links) link[how]();
  const mend = () => {
    for (const link of links) {
      link.drop();
      link.heal();
    }
  };
  const mendLater = async () => {
    await wait(BROKEN_MS, signal);
    const held = links.reduce((sum, link) => sum + link.held, 0);
    const lost = how === "cut"
      ? `${refusals(links) - refusedBefore} new links refused`
      : `${held} bytes thrown away`;
    mend();
    return { to: world.now(), lost };
  };
  let mending: ReturnType<typeof mendLater> | undefined;
  try {
    const acknowledged = await crowd.quiet(SILENCE_MS, () => mending = mendLater());
    const mended = await mending;
    if (!acknowledged || mended === undefined) return [];
    const evidence = `last messages acknowledged while ${links.length} links to Redis (${open} ` +
      `connections) were ${how === "cut" ? "cut" : "black holes"}, ${mended.lost}, then silence`;
    return [{ class: "publish-lost", target: "web->redis", from, to: mended.to, evidence }];
  } finally {
    mend();
  }
}

function refusals(links: readonly LinkHandle[]): number {
  return links.reduce((sum, link) => sum + link.traffic.refused, 0);
}

/** What happens to clients, or needs their help. */
export const CLIENT_FAULTS: Fault[] = [
  {
    class: "publish-lost",
    lane: LANE,
    ms: [SILENCE_MS, SILENCE_MS],
    mendMs: 500,
    evidence: "acknowledged last messages while every link to Redis was broken",
    inject: losePublishes,
  },
  {
    class: "readers-stall",
    lane: LANE,
    ms: [1000, 3000],
    mendMs: 0,
    evidence: "the number of sockets that read nothing",
    async inject({ world, crowd }, { forMs, random, signal }) {
      const count = random.between(1, 4);
      const deadline = world.now() + SOCKETS_MS;
      let from = world.now();
      let stalled = await crowd.stallReaders(count, forMs);
      while (stalled === 0 && world.now() < deadline && !signal.aborted) {
        await wait(100, signal);
        from = world.now();
        stalled = await crowd.stallReaders(count, forMs);
      }
      const to = world.now();
      if (stalled === 0) return [];
      const evidence = `${stalled} sockets read nothing`;
      return [{ class: "readers-stall", target: "clients", from, to, evidence }];
    },
  },
  {
    class: "clients-cut",
    lane: LANE,
    ms: [0, 0],
    mendMs: 200,
    evidence: "the number of connections that clients ended without a word",
    async inject({ world, crowd }, { signal }) {
      const deadline = world.now() + SOCKETS_MS;
      let from = world.now();
      let cut = await crowd.cutClients();
      while (cut === 0 && world.now() < deadline && !signal.aborted) {
        await wait(100, signal);
        from = world.now();
        cut = await crowd.cutClients();
      }
      const to = world.now();
      if (cut === 0) return [];
      const evidence = `${cut} connections ended by their clients`;
      return [{ class: "clients-cut", target: "clients", from, to, evidence }];
    },
  },
  {
    class: "web-clients-cut",
    lane: LANE,
    ms: [0, 0],
    mendMs: 200,
    evidence: "links of one node that were open at the cut",
    async inject({ world }, { random, signal }) {
      const used = () => world.links({ from: "clients" }).filter(({ open }) => open > 0);
      const deadline = world.now() + SOCKETS_MS;
      while (used().length === 0 && world.now() < deadline && !signal.aborted) {
        await wait(100, signal);
      }
      const links = used();
      if (links.length === 0) return [];
      const link = random.pick(links);
      const [at, open] = [world.now(), link.open];
      link.drop();
      const evidence = `${open} links cut at once`;
      return [{ class: "web-clients-cut", target: link.name, from: at, to: at, evidence }];
    },
  },
];
