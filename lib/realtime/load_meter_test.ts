import { assert, assertEquals } from "@std/assert";
import { LoadMeter } from "./load_meter.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("LoadMeter follows a loop that is late, and comes back", strict, () => {
  let now = 0;
  const meter = new LoadMeter({
    now: () => now,
    memory: () => ({ rss: 7, heapTotal: 3, external: 1 }),
  });
  try {
    const ticks = (count: number, ms: number) => {
      for (let i = 0; i < count; i++) {
        now += ms;
        meter.tick();
      }
    };
    ticks(20, 100);
    assertEquals([meter.delayMs, meter.rssBytes], [0, 7]);
    // One long pause is no load: garbage was collected, or the process was stopped.
    ticks(1, 60_000);
    assert(meter.delayMs > 100 && meter.delayMs < 500, `${meter.delayMs}`);
    ticks(30, 100);
    assert(meter.delayMs < 120, `${meter.delayMs}`);
    ticks(10, 900);
    assert(meter.delayMs > 700, `${meter.delayMs}`);
    ticks(100, 100);
    assert(meter.delayMs < 10, `${meter.delayMs}`);
  } finally {
    meter.stop();
  }
});

Deno.test("LoadMeter measures this process", strict, () => {
  const meter = new LoadMeter();
  meter.stop();
  assert(meter.rssBytes > 10_000_000, `${meter.rssBytes}`);
});

Deno.test(
  "LoadMeter takes memory for short while it is used, not as long as it is kept",
  strict,
  () => {
    let memory = { rss: 50, heapTotal: 20, external: 10 };
    let nativeBytes = 0;
    const meter = new LoadMeter({
      rssBytes: 1000,
      nativeBytes: () => nativeBytes,
      memory: () => memory,
    });
    meter.stop();
    const short = (now: typeof memory, native: number) => {
      memory = now;
      nativeBytes = native;
      for (let i = 0; i < 5; i++) meter.tick();
      return meter.memoryIsShort;
    };
    assertEquals(short({ rss: 999, heapTotal: 300, external: 10 }, 600), false);
    assertEquals(short({ rss: 1000, heapTotal: 300, external: 10 }, 600), true);
    assertEquals(short({ rss: 1500, heapTotal: 30, external: 10 }, 0), false);
    assertEquals([meter.rssBytes, meter.memoryIsShort], [1500, false]);
    assertEquals(short({ rss: 1500, heapTotal: 480, external: 0 }, 0), true);
  },
);
