/** The telemetry lane of a bridge without a broker: what devices publish is handed to it directly. */
import type { Principal } from "../lib/auth/principal.ts";
import { deviceActions } from "../lib/chat/bridge.ts";
import { setMember } from "../lib/chat/members.ts";
import { createRoom } from "../lib/chat/rooms.ts";
import { deviceTelemetry, setTelemetryRules } from "../lib/chat/telemetry.ts";
import { telemetryLane } from "../lib/chat/telemetry_lane.ts";
import type { DeviceTelemetry, TelemetryRule } from "../lib/protocol.ts";
import { readLogAs } from "../lib/store/log.ts";
import { Telemetry, type TelemetryOptions } from "../mqtt-bridge/telemetry.ts";
import { type ChatScene, chatScene, newDevice, newPrincipal, recordedLog } from "./chat.ts";
import { type Faults, faultyDatabase } from "./faulty_database.ts";
import { until } from "./until.ts";

/** One term of a bridge. */
export interface Lane {
  telemetry: Telemetry;
  /** Faults of its database, which may change. */
  faults: Faults;
  /** What its messages wait for, as for a locked room, and how many have begun to. */
  sends: { after?: Promise<void>; begun: number };
  /** Publishes readings of a device in the room, or in another. */
  say(device: Principal, payload: unknown, room?: string): Promise<void>;
  /** Ends as a bridge does whose term is over. */
  depose(): Promise<void>;
  /** Ends as a bridge does that is asked to. */
  stop(): Promise<void>;
  /** Ends without a word: nothing of it reaches the database any more. */
  kill(): Promise<void>;
}

type LaneOptions = Partial<TelemetryOptions> & { isBehind?: () => boolean };

/** A room whose devices measure things. */
export interface LaneScene extends AsyncDisposable {
  scene: ChatScene;
  owner: Principal;
  room: string;
  device(): Promise<Principal>;
  /** `isBehind`: readings may wait at the broker. */
  lane(options?: LaneOptions): Lane;
  rules(device: Principal, rules: TelemetryRule[]): Promise<void>;
  known(device: Principal): Promise<DeviceTelemetry>;
  /** The texts of the device's messages. */
  said(device: Principal): Promise<string[]>;
  /** Waits for so many messages of the device. */
  heard(device: Principal, count: number): Promise<string[]>;
}

/** Makes a scene; use it with `await using`. Lanes that are left are stopped. */
export async function laneScene(): Promise<LaneScene> {
  const scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const { id: room } = await createRoom(chat, owner, { name: "R", visibility: "private" });
  const lanes: Lane[] = [];
  const said = async (device: Principal) => {
    const page = await readLogAs(db, room, owner.id, 0, 1000);
    return page!.entries.flatMap(({ event }) =>
      event.type === "message.created" && event.actor.id === device.id ? [event.message.text!] : []
    );
  };
  return {
    scene,
    owner,
    room,
    async device() {
      const device = await newDevice(db, owner);
      await setMember(chat, owner, room, device.id, "member");
      return device;
    },
    lane(options = {}) {
      const lane = laneOf(scene, room, options);
      lanes.push(lane);
      return lane;
    },
    async rules(device, rules) {
      await setTelemetryRules(chat, owner, room, device.id, rules);
    },
    known: (device) => deviceTelemetry(chat, owner, room, device.id),
    said,
    async heard(device, count) {
      await until(`${count} messages`, async () => (await said(device)).length >= count);
      return await said(device);
    },
    async [Symbol.asyncDispose]() {
      for (const lane of lanes) await lane.stop();
      await scene[Symbol.asyncDispose]();
    },
  };
}

function laneOf(
  { chat, db }: ChatScene,
  home: string,
  { isBehind = () => false, ...options }: LaneOptions,
): Lane {
  const faults: Faults = {};
  const sends: Lane["sends"] = { begun: 0 };
  let dead = false;
  const faulty = faultyDatabase(db, {
    before: async (text, values) => {
      await faults.before?.(text, values);
      if (dead) await new Promise<never>(() => {});
    },
    after: async (text, values) => {
      await faults.after?.(text, values);
      if (dead) await new Promise<never>(() => {});
    },
  });
  const [over, givenUp] = [new AbortController(), new AbortController()];
  const devices = new Map<string, Principal>();
  const telemetry = new Telemetry({
    lane: telemetryLane({ db: faulty, bus: chat.bus }),
    rate: { perSecond: 1e9, burst: 1e9 },
    everyMs: 10,
    ...options,
  }, {
    actions: {
      async send(...args) {
        sends.begun++;
        await sends.after;
        if (dead) return await new Promise<never>(() => {});
        return await deviceActions(chat).send(...args);
      },
    },
    devices: {
      principal: (id) => Promise.resolve(devices.get(id) ?? deviceOf(id)),
    },
    onStored: () => {},
    isBehind,
    log: recordedLog().log,
    signal: over.signal,
  });
  telemetry.listens(true);
  const running = telemetry.run(givenUp.signal);
  const depose = async () => {
    over.abort();
    await running;
  };
  const stop = () => {
    givenUp.abort();
    return depose();
  };
  return {
    telemetry,
    faults,
    sends,
    say(device, payload, room = home) {
      devices.set(device.id, device);
      const text = typeof payload === "string" ? payload : JSON.stringify(payload);
      return telemetry.accept({
        device,
        room,
        delivery: {
          topic: "",
          payload: new TextEncoder().encode(text),
          qos: 1,
          retained: false,
          properties: {},
          acknowledge: () => {},
        },
      });
    },
    depose,
    stop,
    kill() {
      dead = true;
      return stop();
    },
  };
}

function deviceOf(id: string): Principal {
  return { id, kind: "device", name: "device", role: "device" };
}
