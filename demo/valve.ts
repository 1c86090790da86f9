import type { Equipment } from "./equipment.ts";
import { numberIn, rounded } from "./equipment.ts";
import type { Plant, Valve } from "./plant.ts";

/** The firmware of a motor valve. */
export function valveDevice(name: string, valve: Valve, plant: Plant): Equipment {
  const move = (opening: number) => {
    valve.wanted = opening;
    return opening === 0 ? "Closing" : `Opening to ${opening} %`;
  };
  return {
    name,
    readings: () => ({
      position: rounded(valve.position, 0),
      torque: rounded(plant.noisy(valve.stuck ? 19 : 6, 0.6)),
    }),
    reported: () => ({ opening: rounded(valve.position, 0), wanted: valve.wanted }),
    desire({ opening }) {
      if (typeof opening === "number" && opening >= 0 && opening <= 100) valve.wanted = opening;
    },
    actions: [
      {
        name: "open",
        args: { opening: "1 to 100 per cent; 100 when absent" },
        run: ({ opening = 100 }) => move(numberIn(opening, "opening", 1, 100)),
      },
      { name: "close", run: () => move(0) },
    ],
    rules: [{
      id: "stuck",
      metric: "torque",
      kind: "above",
      threshold: 15,
      hysteresis: 5,
      unit: "Nm",
    }],
  };
}
