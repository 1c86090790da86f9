import { assert, assertEquals } from "@std/assert";
import { levelOf, Plant } from "./plant.ts";
import { seeded } from "./random.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function run(plant: Plant, seconds: number): Plant {
  for (let i = 0; i < seconds; i++) plant.step(1);
  return plant;
}

Deno.test("the plant runs for an hour without a dry or an overflowing tank", strict, () => {
  const plant = new Plant(seeded(1));
  const seen = plant.tanks.map(() => ({ low: 1, high: 0 }));
  for (let i = 0; i < 3600; i++) {
    plant.step(1);
    plant.tanks.forEach((tank, at) => {
      seen[at]!.low = Math.min(seen[at]!.low, levelOf(tank));
      seen[at]!.high = Math.max(seen[at]!.high, levelOf(tank));
    });
  }
  for (const { low, high } of seen) {
    assert(low > 0.1 && high < 0.9, `between ${low} and ${high}`);
    assert(high - low > 0.05, "its level moves");
  }
  assert(plant.conveyor.bottles > 1000);
});

Deno.test("what leaves one tank comes into the next", strict, () => {
  const plant = run(new Plant(seeded(1)), 20);
  plant.valves[0]!.wanted = plant.valves[0]!.position = 0;
  for (const pump of plant.pumps) Object.assign(pump, { auto: false, on: false, turning: 0 });
  Object.assign(plant.pumps[0]!, { on: true, speed: 5, turning: 5 });
  const [t1, t2] = [plant.tanks[0]!.litres, plant.tanks[1]!.litres];
  plant.step(1);
  assertEquals(Math.round(t1 - plant.tanks[0]!.litres), 12);
  assertEquals(Math.round(plant.tanks[1]!.litres - t2), 12);
});

Deno.test("a stuck valve behind a pump starves the tank behind it", strict, () => {
  const plant = run(new Plant(seeded(1)), 10);
  const valve = plant.valves[5]!;
  Object.assign(valve, { position: 0, wanted: 100, stuck: true });
  run(plant, 300);
  assert(levelOf(plant.tanks[3]!) < 0.3);
  assertEquals(valve.position, 0);
});

Deno.test("after an emergency stop nothing turns until the reset", strict, () => {
  const plant = run(new Plant(seeded(1)), 30);
  plant.emergencyStop();
  run(plant, 30);
  assertEquals(plant.pumps.map(({ turning }) => turning), [0, 0, 0, 0, 0, 0]);
  const bottles = plant.conveyor.bottles;
  run(plant, 30);
  assertEquals(plant.conveyor.bottles, bottles);
  plant.reset();
  run(plant, 30);
  assert(plant.conveyor.bottles > bottles);
});

Deno.test("the same seed gives the same plant", strict, () => {
  const [a, b] = [seeded(7), seeded(7)];
  assertEquals(Array.from({ length: 5 }, a), Array.from({ length: 5 }, b));
  assert(seeded(7)() !== seeded(8)());
});
