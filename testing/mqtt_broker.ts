/**
 * The two brokers that devices and the bridge are tested against, with the same few devices known
 * to both: the embedded one, and a real Mosquitto with the shipped configuration.
 */
import { deviceLogins, type DeviceSecrets } from "../lib/auth/devices.ts";
import type { Provisioning } from "../mqtt-bridge/bridge.ts";
import { Connection } from "../mqtt-bridge/connection.ts";
import { startBroker } from "../mqtt-bridge/broker.ts";
import { DynamicSecurity } from "../mqtt-bridge/provisioning.ts";
import { createLog } from "../lib/log.ts";
import { newId } from "../lib/ids.ts";
import { findMosquitto, freePort, startMosquitto } from "./mosquitto.ts";
import type { Service } from "./services.ts";

/** A broker under test. */
export interface TestBroker extends AsyncDisposable {
  url: string;
  bridge: { url: string; username: string; password: string };
  /** Makes the broker know a device; its password is `passwordOf(id)`. */
  addDevice(id?: string): Promise<string>;
  /** How a bridge provisions it, with the passwords of `passwordOf()`. */
  provisioning: Provisioning;
  /** Ends the broker without warning and starts it again; only a real one can. */
  crash?(): Promise<void>;
  /** Ends it and starts it again without anything that it knew; only a real one can. */
  forget?(): Promise<void>;
}

/** The password of a test device. */
export function passwordOf(id: string, generation = 1): string {
  return `secret ${generation} of ${id}`;
}

/** A kind of broker, its presence, and how to start one. */
export interface BrokerKind {
  name: string;
  service: Service;
  /** `secretsOf` answers for devices that the embedded broker was not told of. */
  start(secretsOf?: (id: string) => Promise<DeviceSecrets | undefined>): Promise<TestBroker>;
}

/** Both kinds of broker. */
export async function brokerKinds(): Promise<BrokerKind[]> {
  return [
    { name: "aedes", service: { name: "aedes" }, start: startEmbedded },
    { name: "Mosquitto", service: await findMosquitto(), start: startReal },
  ];
}

async function startEmbedded(
  secretsOf: (id: string) => Promise<DeviceSecrets | undefined> = () => Promise.resolve(undefined),
): Promise<TestBroker> {
  const known = new Set<string>();
  const broker = await startBroker({
    host: "127.0.0.1",
    port: freePort(),
    prefix: "confab/",
    log: createLog("silent"),
    async authenticate(id, password, username) {
      const secrets = known.has(id) ? FIRST_SECRET : await secretsOf(id);
      if (secrets === undefined) return false;
      const login = deviceLogins(id, secrets).find((one) => one.username === username);
      return login !== undefined && password === passwordOf(id, login.generation);
    },
  });
  return {
    url: broker.bridge.url,
    bridge: broker.bridge,
    provisioning: { kind: "embedded", kick: broker.kick },
    addDevice(id = newId()) {
      known.add(id);
      return Promise.resolve(id);
    },
    [Symbol.asyncDispose]: () => broker.stop(),
  };
}

async function startReal(): Promise<TestBroker> {
  const mosquitto = await startMosquitto();
  const bridge = { url: mosquitto.url, ...mosquitto.bridge };
  return {
    url: mosquitto.url,
    bridge,
    provisioning: {
      kind: "dynsec",
      secretOf: ({ id, generation }) => Promise.resolve(passwordOf(id, generation)),
    },
    async addDevice(id = newId()) {
      await withDynamicSecurity(bridge, (dynsec) => dynsec.apply([credential(id)]));
      return id;
    },
    async crash() {
      await mosquitto.kill("SIGKILL");
      await mosquitto.start();
    },
    forget: () => mosquitto.startAnew(),
    [Symbol.asyncDispose]: () => mosquitto[Symbol.asyncDispose](),
  };
}

const FIRST_SECRET = { generation: 1, plainGeneration: 1 };
const credential = (id: string) => ({ id, ...FIRST_SECRET, disabled: false });

/** Lets `run` administer a Mosquitto over a connection of its own. */
export async function withDynamicSecurity<T>(
  bridge: { url: string; username: string; password: string },
  run: (dynsec: DynamicSecurity) => Promise<T>,
  log = createLog("silent"),
): Promise<T> {
  const connection = new Connection({
    ...bridge,
    clientId: `admin-${newId()}`,
    subscriptions: [DynamicSecurity.subscription],
    onDelivery: (delivery) => {
      dynsec.receive(delivery.payload);
      return Promise.resolve();
    },
  });
  const dynsec: DynamicSecurity = new DynamicSecurity({
    publisher: connection,
    username: bridge.username,
    secretOf: ({ id, generation }) => Promise.resolve(passwordOf(id, generation)),
    log,
  });
  try {
    await connection.ready;
    return await run(dynsec);
  } finally {
    await connection.close();
  }
}
