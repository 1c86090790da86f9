import type { Equipment } from "./equipment.ts";
import { numberIn, rounded } from "./equipment.ts";
import type { Plant } from "./plant.ts";
import { emergencyStop } from "./pump.ts";

/** The firmware of the filling line. */
export function conveyorDevice(name: string, plant: Plant): Equipment {
  const { conveyor } = plant;
  return {
    name,
    readings: () => ({
      bottles: Math.floor(conveyor.bottles),
      speed: conveyor.running ? rounded(plant.noisy(conveyor.speed, 0.04), 2) : 0,
      running: conveyor.running,
    }),
    reported: () => ({ running: conveyor.running, speed: conveyor.speed }),
    desire({ speed, running }) {
      if (typeof speed === "number" && speed >= 1 && speed <= 4) conveyor.speed = speed;
      if (typeof running === "boolean") conveyor.running = running;
    },
    actions: [
      {
        name: "start",
        args: { speed: "1 to 4 bottles a second" },
        run({ speed = conveyor.speed }) {
          conveyor.speed = numberIn(speed, "speed", 1, 4);
          conveyor.running = true;
          return `Filling at speed ${conveyor.speed}`;
        },
      },
      {
        name: "stop",
        run() {
          conveyor.running = false;
          return `Stopped after ${Math.floor(conveyor.bottles)} bottles`;
        },
      },
      emergencyStop(plant),
      {
        name: "reset",
        description: "Run again after an emergency stop",
        minRole: "admin",
        run() {
          plant.reset();
          return "The plant runs again";
        },
      },
    ],
    rules: [{ id: "shift", metric: "bottles", kind: "digest", seconds: 120 }],
  };
}
