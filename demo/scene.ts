import type { Confab } from "./confab.ts";
import { Device } from "./device.ts";
import { Mishaps } from "./mishaps.ts";
import { addDevice, makeRoom, type Person, signUp } from "./people.ts";
import { Plant } from "./plant.ts";
import { seeded } from "./random.ts";
import { type Scene, SCRIPT } from "./script.ts";
import { thirtyDevices, TROUBLED } from "./thirty.ts";

const TICK_MS = 1000;
/** In seconds: when the silent sensor stops talking, for how long, and how often. */
const SILENCE = { from: 25, seconds: 60, every: 240 };
/** When the flapping one comes and goes, for how long, and how often. */
const FLAPPING = { from: 15, seconds: 50, every: 200, period: 5, away: 2 };

/** The plant with its people and devices in one room of a Confab, alive until stop(). */
export class PlantScene {
  readonly people: { ada: Person; grace: Person };
  readonly room: string;
  readonly devices: Device[];
  #ids: ReadonlyMap<string, string>;
  #plant: Plant;
  #mishaps: Mishaps;
  #seconds = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #failed: (error: unknown) => void = () => {};
  /** Rejects when something of it fails that must not. */
  readonly failure = new Promise<never>((_, reject) => this.#failed = reject);

  private constructor(made: {
    people: { ada: Person; grace: Person };
    room: string;
    devices: Device[];
    ids: ReadonlyMap<string, string>;
    plant: Plant;
    mishaps: Mishaps;
  }) {
    this.people = made.people;
    this.room = made.room;
    this.devices = made.devices;
    this.#ids = made.ids;
    this.#plant = made.plant;
    this.#mishaps = made.mishaps;
    this.failure.catch(() => {});
  }

  /** Makes people, room and devices, connects all of them and lets time begin. */
  static async start({ url }: Pick<Confab, "url">, seed: number): Promise<PlantScene> {
    const plant = new Plant(seeded(seed));
    const people = { ada: await signUp(url, "Ada"), grace: await signUp(url, "Grace") };
    const room = await makeRoom(people.ada, people.grace);
    const devices: Device[] = [];
    const ids = new Map<string, string>();
    // Numbers of their own: how often the plant takes some depends on what is asked of it.
    const mishaps = new Mishaps(plant, seeded(seed + 1));
    const scene = new PlantScene({ people, room: room.id, devices, ids, plant, mishaps });
    try {
      for (const equipment of thirtyDevices(plant)) {
        const { device, mqtt } = await addDevice(people.ada, room, equipment);
        ids.set(equipment.name, device.id);
        devices.push(new Device(equipment, mqtt, room.id));
      }
      await Promise.all(devices.map((device) => device.start()));
    } catch (error) {
      await scene.stop();
      throw error;
    }
    scene.#timer = setInterval(() => scene.#tick(), TICK_MS);
    return scene;
  }

  /** Ends the time, then the people and the devices. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const { client } of Object.values(this.people)) client.close();
    await Promise.all(this.devices.map((device) => device.stop()));
  }

  /** The id of a device. */
  idOf(name: string): string {
    return this.#ids.get(name)!;
  }

  #tick(): void {
    const second = ++this.#seconds;
    this.#plant.step(1);
    this.#mishaps.step(1);
    this.#trouble(second);
    for (const device of this.devices) device.tick();
    for (const scene of SCRIPT) if (scene.at === second) this.#play(scene).catch(this.#failed);
  }

  /** The sensor that falls silent, and the one that comes and goes. */
  #trouble(second: number): void {
    const named = (name: string) => this.devices.find(({ equipment }) => equipment.name === name)!;
    const since = (begin: number, every: number) => second < begin ? -1 : (second - begin) % every;
    const quiet = since(SILENCE.from, SILENCE.every);
    named(TROUBLED.silent).silent = quiet >= 0 && quiet < SILENCE.seconds;
    const loose = since(FLAPPING.from, FLAPPING.every);
    const flapping = named(TROUBLED.flapping);
    const away = loose >= 0 && loose < FLAPPING.seconds && loose % FLAPPING.period < FLAPPING.away;
    if (away && flapping.connected) flapping.drop().catch(this.#failed);
    else if (!away && flapping.dropped) flapping.start().catch(() => {});
  }

  async #play(scene: Scene): Promise<void> {
    const { rest } = this.people[scene.who];
    const clientId = crypto.randomUUID();
    if ("say" in scene) {
      await rest.sendMessage(this.room, { clientId, text: scene.say });
    } else if ("command" in scene) {
      const { device, command: name, args = {} } = scene;
      await rest.sendCommand(this.room, this.idOf(device), { clientId, name, args });
    } else {
      await rest.changeDesired(this.room, this.idOf(scene.device), { desired: scene.desired });
    }
  }
}
