import type { Bus, BusSink } from "../lib/bus/mod.ts";

/** What becomes of one delivery: it arrives at once, late (after others), twice, or never. */
export type Fate = "now" | "late" | "twice" | "never";

/**
 * A node's view of `bus` through a bad network: `fate` decides for every delivery of entries and
 * heads to this node. What is late arrives a few turns of the event loop later.
 */
export function lossyBus(bus: Bus, fate: () => Fate): Bus {
  const arrive = (deliver: () => void) => {
    const what = fate();
    if (what === "now" || what === "twice") deliver();
    if (what === "late" || what === "twice") setTimeout(deliver, Math.random() * 4);
  };
  return {
    publish: (entries) => bus.publish(entries),
    announce: (room, head) => bus.announce(room, head),
    signal: (room, signal) => bus.signal(room, signal),
    serve: (room, sink) => {
      const mangled: BusSink = {
        entries: (entries) => {
          for (const entry of entries) arrive(() => sink.entries([entry]));
        },
        head: (seq) => arrive(() => sink.head(seq)),
        signal: (signal) => sink.signal(signal),
      };
      return bus.serve(room, mangled);
    },
    revoke: (revocation) => bus.revoke(revocation),
    listen: (listener) => bus.listen(listener),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

/** Fates by chance; `bad` of 1 are not `now`. */
export function badLuck(bad = 0.5): () => Fate {
  return () => {
    if (Math.random() >= bad) return "now";
    return (["late", "twice", "never"] as const)[Math.floor(Math.random() * 3)]!;
  };
}
