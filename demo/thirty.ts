import { conveyorDevice } from "./conveyor.ts";
import type { Equipment } from "./equipment.ts";
import { levelOf, type Plant } from "./plant.ts";
import { pumpDevice } from "./pump.ts";
import type { Measured } from "./sensor.ts";
import { sensorDevice } from "./sensor.ts";
import { tankDevice } from "./tank.ts";
import { valveDevice } from "./valve.ts";

/** The sensor that falls silent now and then, and the one that comes and goes. */
export const TROUBLED = { silent: "Turbidity sensor", flapping: "Flow meter 3" };
const EXPECTED_SECONDS = 15;

/** The thirty devices of the plant. */
export function thirtyDevices(plant: Plant): Equipment[] {
  return [
    ...plant.tanks.map((tank, i) => tankDevice(`Tank ${i + 1}`, tank, plant)),
    ...plant.pumps.map((pump, i) => pumpDevice(`Pump ${i + 1}`, pump, plant)),
    ...plant.valves.map((valve, i) => valveDevice(`Valve ${i + 1}`, valve, plant)),
    ...Object.entries(sensorsOf(plant)).map(([name, measured]) =>
      sensorDevice(name, measured, plant, name === TROUBLED.silent ? EXPECTED_SECONDS : undefined)
    ),
    conveyorDevice("Filling line", plant),
  ];
}

function sensorsOf(plant: Plant): Record<string, Measured> {
  const flow = (valve: number) => ({
    metric: "flow",
    value: () => plant.flow(valve),
    spread: 0.1,
    decimals: 2,
  });
  const pressure = (pump: number) => ({
    metric: "bar",
    value: () => 1.1 + 0.5 * plant.pumps[pump - 1]!.turning,
    spread: 0.03,
    decimals: 2,
  });
  const full = (tank: number) => levelOf(plant.tanks[tank - 1]!);
  return {
    "Flow meter 1": flow(1),
    "Flow meter 2": flow(4),
    [TROUBLED.flapping]: flow(6),
    "Pressure gauge 1": pressure(1),
    "Pressure gauge 2": pressure(5),
    "Mixer temperature": { metric: "celsius", value: () => 24 - 6 * full(3), spread: 0.1 },
    "Mixer acidity": { metric: "ph", value: () => 6.6 + full(3), spread: 0.03, decimals: 2 },
    [TROUBLED.silent]: { metric: "ntu", value: () => 2.2 - full(1), spread: 0.08, decimals: 2 },
    "Hall temperature": { metric: "celsius", value: () => 18 + plant.power / 4, spread: 0.05 },
    "Hall humidity": { metric: "percent", value: () => 61 - plant.power / 2, spread: 0.3 },
    "Power meter": { metric: "kilowatts", value: () => plant.power, spread: 0.1, decimals: 2 },
  };
}
