import { wait } from "../clients/waiting.ts";
import type { FaultRecord } from "../history.ts";
import type { Random } from "../random.ts";
import type { LinkEnd, LinkHandle } from "../world.ts";
import type { Card, Fault, Scene } from "./fault.ts";

const LANE = "links";
/** How long to look for a link that is in use: a bridge may be about to take over. */
const IN_USE_MS = 8000;
/** How long to wait for a sign that a fault shows, while there are connections. */
const SHOWN_MS = 3000;
/** Links that are tried: the process at one end may be ended by another fault. */
const TRIES = 3;

type Ends = readonly [from: LinkEnd, to: LinkEnd];
const LINKS: readonly Ends[] = [
  ["web", "postgres"],
  ["web", "redis"],
  ["bridge", "mosquitto"],
  ["clients", "web"],
  ["devices", "mosquitto"],
];

/** How long a black hole lasts by where it is: longer than the deadline of what calls into it. */
const BLACK_HOLE_MS: Record<LinkEnd, readonly [number, number]> = {
  postgres: [3300, 3800],
  redis: [1200, 2200],
  mosquitto: [800, 1200],
  web: [800, 1200],
  clients: [0, 0],
  devices: [0, 0],
  bridge: [0, 0],
};

/** One link that carries something, of those between two ends. */
async function linkInUse({ world }: Scene, [from, to]: Ends, { random, signal }: Card) {
  const links = random.shuffle(world.links({ from, to }));
  const deadline = world.now() + IN_USE_MS;
  for (;;) {
    const used = links.find(({ open }) => open > 0);
    if (used !== undefined || signal.aborted || world.now() > deadline) return used;
    await wait(20, signal);
  }
}

/** A fault of a link: `apply` breaks it, `shown` says what can be seen of that so far. */
interface Style {
  name: string;
  ms(ends: Ends): readonly [number, number];
  evidence: string;
  /** One after the other, each for its share of the time. */
  parts: {
    apply(link: LinkHandle, random: Random): void;
    shown(link: LinkHandle, before: Before): string | undefined;
  }[];
}

/** How a link stood when the fault began. */
interface Before {
  open: number;
  traffic: LinkHandle["traffic"];
}

function heldBack(link: LinkHandle, { open, traffic }: Before, what: string): string | undefined {
  if (link.held === 0) return undefined;
  const [there, back] = [link.traffic.there - traffic.there, link.traffic.back - traffic.back];
  return `${what}: ${open} connections, ${link.held} bytes held, ` +
    `${there} carried there and ${back} back`;
}

const STYLES: Style[] = [
  {
    name: "cut",
    ms: () => [300, 700],
    evidence: "links that were open at the cut",
    parts: [{
      apply: (link) => link.cut(),
      shown: (link, { open, traffic }) =>
        `${open} links cut, ${link.traffic.refused - traffic.refused} new ones refused`,
    }],
  },
  {
    name: "black-hole",
    ms: ([, to]) => BLACK_HOLE_MS[to],
    evidence: "bytes held in the proxy",
    parts: [{
      apply: (link) => link.blackHole(),
      shown: (link, before) => heldBack(link, before, "black hole"),
    }],
  },
  {
    name: "half-open",
    ms: () => [900, 1300],
    evidence: "bytes held in the proxy, each direction in turn",
    parts: (["there", "back"] as const).map((carries) => ({
      apply: (link) => link.halfOpen(carries),
      shown: (link, before) => heldBack(link, before, `open only ${carries}`),
    })),
  },
  {
    name: "delay",
    ms: () => [500, 800],
    evidence: "chunks that were delayed",
    parts: [{
      apply: (link, random) => link.delay(random.between(20, 150), random.between(0, 150), random),
      shown: (link, before) => countDelayed(link, before, "chunks delayed"),
    }],
  },
  {
    name: "slow",
    ms: () => [500, 800],
    evidence: "pieces that were made to wait",
    parts: [{
      apply: (link, random) => link.slow(random.between(2000, 20_000)),
      shown: (link, before) => countDelayed(link, before, "pieces slowed"),
    }],
  },
];

function countDelayed(link: LinkHandle, { open, traffic }: Before, what: string) {
  const delayed = link.traffic.delayed - traffic.delayed;
  return delayed === 0 ? undefined : `${delayed} ${what}, ${open} connections at the beginning`;
}

/** Breaks one link in all parts of a style; returns nothing when one part did not show. */
async function breakLink(
  { world }: Scene,
  link: LinkHandle,
  style: Style,
  { forMs, random, signal }: Card,
): Promise<string[]> {
  const shown: string[] = [];
  try {
    for (const { apply, shown: look } of style.parts) {
      const before: Before = { open: link.open, traffic: { ...link.traffic } };
      apply(link, random);
      await wait(forMs / style.parts.length, signal);
      const deadline = world.now() + SHOWN_MS;
      const mayShow = () => link.open > 0 && world.now() < deadline && !signal.aborted;
      while (look(link, before) === undefined && mayShow()) await wait(20, signal);
      const seen = look(link, before);
      if (seen !== undefined) shown.push(seen);
      link.heal();
    }
  } finally {
    link.heal();
  }
  return shown.length === style.parts.length ? shown : [];
}

/** Every style on every kind of link. */
export const LINK_FAULTS: Fault[] = STYLES.flatMap((style) =>
  LINKS.map((ends): Fault => {
    const name = `${style.name}-${ends.join("-")}`;
    return {
      class: name,
      lane: LANE,
      ms: style.ms(ends),
      mendMs: 50,
      evidence: style.evidence,
      async inject(scene, card): Promise<FaultRecord[]> {
        for (let tries = 0; tries < TRIES && !card.signal.aborted; tries++) {
          const link = await linkInUse(scene, ends, card);
          if (link === undefined) return [];
          using _ = await scene.claims.take(link.name);
          const from = scene.world.now();
          const shown = await breakLink(scene, link, style, card);
          const to = scene.world.now();
          if (shown.length === 0) continue;
          return [{ class: name, target: link.name, from, to, evidence: shown.join("; ") }];
        }
        return [];
      },
    };
  })
);
