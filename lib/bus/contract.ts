import { assertEquals } from "@std/assert";
import { until } from "../../testing/until.ts";
import { newId } from "../ids.ts";
import type { LogEntry, RoomId, Signal } from "../protocol.ts";
import type { Bus, BusListener, BusSink, Revocation } from "./mod.ts";

/** Registers one test of the suite. */
export type RegisterTest = (name: string, test: () => Promise<void>) => void;

/** What every bus must do for the sinks of its own process; `create` makes a fresh one. */
export function busContract(
  name: string,
  create: () => Promise<{ bus: Bus; close(): Promise<void> }>,
  register: RegisterTest,
): void {
  const check = (sentence: string, run: (bus: Bus, room: RoomId) => Promise<void>) =>
    register(`${name}: ${sentence}`, async () => {
      const { bus, close } = await create();
      try {
        await run(bus, newId());
      } finally {
        await bus[Symbol.asyncDispose]();
        await close();
      }
    });

  check("a publish reaches every sink of the room at once, and no other", async (bus, room) => {
    const [a, b, other] = [recorder(), recorder(), recorder()];
    await bus.serve(room, a);
    await bus.serve(room, b);
    await bus.serve(newId(), other);
    bus.publish([entry(room, 1), entry(room, 2)]);
    assertEquals([a.seqs, b.seqs, other.seqs], [[1, 2], [1, 2], []]);
  });

  check("entries of several rooms arrive each at their own", async (bus, room) => {
    const [a, b] = [recorder(), recorder()];
    const second = newId();
    await bus.serve(room, a);
    await bus.serve(second, b);
    bus.publish([entry(room, 1), entry(second, 8), entry(room, 2)]);
    assertEquals([a.seqs, b.seqs], [[1, 2], [8]]);
  });

  check("heads and signals arrive", async (bus, room) => {
    const seen = recorder();
    await bus.serve(room, seen);
    bus.announce(room, 9);
    bus.signal(room, typing());
    assertEquals([seen.heads, seen.signals], [[9], [typing()]]);
  });

  check("a stopped sink gets nothing, and stopping twice is harmless", async (bus, room) => {
    const [stopped, kept] = [recorder(), recorder()];
    const stop = await bus.serve(room, stopped);
    await bus.serve(room, kept);
    stop();
    stop();
    bus.publish([entry(room, 1)]);
    bus.announce(room, 1);
    assertEquals([stopped.seqs, stopped.heads, kept.seqs], [[], [], [1]]);
  });

  check("one sink may serve a room twice and stop once", async (bus, room) => {
    const seen = recorder();
    const stop = await bus.serve(room, seen);
    await bus.serve(room, seen);
    stop();
    stop();
    bus.publish([entry(room, 1)]);
    assertEquals(seen.seqs, [1]);
  });

  check("a sink that throws does not keep the others from theirs", async (bus, room) => {
    const seen = recorder();
    const broken = () => {
      throw new Error("broken on purpose");
    };
    await bus.serve(room, { entries: broken, head: broken, signal: broken });
    await bus.serve(room, seen);
    bus.publish([entry(room, 1)]);
    assertEquals(seen.seqs, [1]);
  });

  check("listeners hear revocations and that the bus is up", async (bus) => {
    const seen = listener();
    bus.listen(seen);
    bus.revoke({ session: "s" });
    bus.revoke({ principal: "p" });
    bus.revoke({ device: "d" });
    assertEquals(seen.revocations, [{ session: "s" }, { principal: "p" }, { device: "d" }]);
    await until("the bus is up", () => seen.up.at(-1) === true);
  });

  check("after its end nothing is delivered and nothing throws", async (bus, room) => {
    const seen = recorder();
    const stop = await bus.serve(room, seen);
    await bus[Symbol.asyncDispose]();
    bus.publish([entry(room, 1)]);
    bus.announce(room, 1);
    bus.signal(room, typing());
    bus.revoke({ session: "s" });
    stop();
    assertEquals([seen.seqs, seen.heads, seen.signals], [[], [], []]);
  });
}

/** A sink that notes what it gets. */
export function recorder(): BusSink & { seqs: number[]; heads: number[]; signals: Signal[] } {
  return {
    seqs: [],
    heads: [],
    signals: [],
    entries(entries) {
      this.seqs.push(...entries.map(({ seq }) => seq));
    },
    head(seq) {
      this.heads.push(seq);
    },
    signal(signal) {
      this.signals.push(signal);
    },
  };
}

/** A listener that notes what it hears. */
export function listener(): BusListener & {
  revocations: Revocation[];
  resumptions: number;
  up: boolean[];
} {
  return {
    revocations: [],
    resumptions: 0,
    up: [],
    revoked(revocation) {
      this.revocations.push(revocation);
    },
    resumed() {
      this.resumptions++;
    },
    connected(up) {
      this.up.push(up);
    },
  };
}

/** A log entry of `room` whose message has `text`. */
export function entry(room: RoomId, seq: number, text = "naïve 🦕"): LogEntry {
  const actor = { id: "a", kind: "user" as const, name: "A" };
  const at = "2026-01-01T00:00:00.000Z";
  const message = { room, seq, sender: actor, at, text, attachments: [], updatedSeq: seq };
  return { room, epoch: "1", seq, event: { type: "message.created", actor, at, message } };
}

/** A signal. */
export function typing(): Signal {
  return { type: "typing", principal: { id: "a", kind: "user", name: "A" } };
}
