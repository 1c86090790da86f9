import { assert, assertEquals } from "@std/assert";
import { createLog } from "../lib/log.ts";
import { until } from "../testing/until.ts";
import { acquireLease } from "./lease.ts";

const log = createLog("silent");

/** A lease table whose answers a test decides. */
function fakeStore() {
  const state = { term: 0, renews: true as boolean | "hangs" | "fails", released: 0, free: true };
  return {
    state,
    takeLease: () => Promise.resolve(state.free ? ++state.term : undefined),
    renewLease: () => {
      if (state.renews === "hangs") return new Promise<boolean>(() => {});
      if (state.renews === "fails") return Promise.reject(new Error("The database is away"));
      return Promise.resolve(state.renews);
    },
    releaseLease: () => {
      state.released++;
      return Promise.resolve();
    },
  };
}

const times = { ttlMs: 300, renewMs: 20 };
const acquire = (store: ReturnType<typeof fakeStore>, signal: AbortSignal) =>
  acquireLease({ store, name: "l", holder: "h", log, ...times }, signal);

Deno.test("acquireLease() waits until the lease is free, or until it is told to stop", async () => {
  const store = fakeStore();
  store.state.free = false;
  const stop = new AbortController();
  const waiting = acquire(store, stop.signal);
  stop.abort();
  assertEquals(await waiting, undefined);
  const later = acquire(store, new AbortController().signal);
  store.state.free = true;
  const lease = (await later)!;
  assertEquals(lease.term, 1);
  await lease.release();
  assertEquals(store.state.released, 1);
  assert(!lease.lost.aborted);
});

Deno.test("a lease that another holds is lost at the next renewal", async () => {
  const store = fakeStore();
  const lease = (await acquire(store, new AbortController().signal))!;
  store.state.renews = false;
  await until("it is lost", () => lease.lost.aborted);
  assertEquals(await lease.verify(), false);
  await lease.release();
});

for (const trouble of ["fails", "hangs"] as const) {
  Deno.test(`a lease is lost before it runs out when the database ${trouble}`, async () => {
    const store = fakeStore();
    const askedAt = performance.now();
    const lease = (await acquire(store, new AbortController().signal))!;
    store.state.renews = trouble;
    await until("it is lost", () => lease.lost.aborted, 5000);
    assert(performance.now() - askedAt >= 0.9 * times.ttlMs - 5);
    await lease.release();
  });
}
