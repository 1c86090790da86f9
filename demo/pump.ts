import type { Metadata } from "../lib/client/mod.ts";
import type { Action, Equipment } from "./equipment.ts";
import { numberIn, rounded } from "./equipment.ts";
import type { Plant, Pump } from "./plant.ts";

const RPM_AT_FULL_SPEED = 2900;

/** The firmware of a pump. */
export function pumpDevice(name: string, pump: Pump, plant: Plant): Equipment {
  return {
    name,
    readings: () => ({
      rpm: Math.round(plant.noisy(pump.turning / 5 * RPM_AT_FULL_SPEED, pump.turning * 3)),
      bearing: rounded(plant.noisy(pump.temperature, 0.4)),
      current: rounded(plant.noisy(pump.turning ** 2 * 0.3 + 0.2, 0.05), 2),
    }),
    reported: () => ({ on: pump.on, speed: pump.speed, auto: pump.auto }),
    desire: (desired) => apply(pump, desired),
    actions: actionsOf(pump, plant),
    rules: [{
      id: "hot",
      metric: "bearing",
      kind: "above",
      threshold: 62,
      hysteresis: 8,
      unit: "°C",
    }],
  };
}

function actionsOf(pump: Pump, plant: Plant): Action[] {
  return [
    {
      name: "start",
      description: "Run, also when the tank behind is full",
      args: { speed: "1 to 5; as before when absent" },
      run({ speed }) {
        if (speed !== undefined) pump.speed = numberIn(speed, "speed", 1, 5);
        Object.assign(pump, { on: true, auto: false });
        return `Running at speed ${pump.speed}`;
      },
    },
    {
      name: "stop",
      description: "Stop, and stay so",
      run() {
        Object.assign(pump, { on: false, auto: false });
        return "Stopped";
      },
    },
    {
      name: "set-speed",
      args: { speed: "1 to 5" },
      run({ speed }) {
        pump.speed = numberIn(speed, "speed", 1, 5);
        return `Speed ${pump.speed}`;
      },
    },
    {
      name: "auto",
      description: "Keep the tank behind filled",
      run() {
        pump.auto = true;
        return "Automatic";
      },
    },
    emergencyStop(plant),
  ];
}

/** Everything in the plant stops. */
export function emergencyStop(plant: Plant): Action {
  return {
    name: "emergency-stop",
    description: "Stop the whole plant at once",
    dangerous: true,
    run() {
      plant.emergencyStop();
      return "Everything has stopped";
    },
  };
}

/** Takes what fits of a desired state, and leaves the rest: the difference stays to be seen. */
function apply(pump: Pump, { on, speed, auto }: Metadata): void {
  if (typeof speed === "number" && speed >= 1 && speed <= 5) pump.speed = speed;
  if (typeof auto === "boolean") pump.auto = auto;
  if (typeof on === "boolean") Object.assign(pump, { on, auto: false });
}
