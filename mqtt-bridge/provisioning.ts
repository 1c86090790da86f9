import { hash } from "node:crypto";
import { ConfabError } from "../lib/errors.ts";
import { isId } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import type { Subscription } from "./connection.ts";
import type { DeviceCredential, Provisioner, Publisher } from "./ports.ts";

/** What the provisioning of a Mosquitto works with. */
export interface DynamicSecurityOptions {
  publisher: Publisher;
  /** The password of a device. */
  secretOf(device: { id: string; generation: number }): Promise<string>;
  log: Log;
  /** Nobody waits for answers any more. */
  signal?: AbortSignal;
  /** Default 5,000, for each answer of the broker. */
  deadlineMs?: number;
}

interface Command {
  command: string;
  [field: string]: unknown;
}

interface Answer {
  command: string;
  error?: string;
  correlationData?: string;
  data?: unknown;
}

/** A client as the broker lists it. */
interface BrokerClient {
  username: string;
  clientid?: string;
  textname?: string;
  disabled?: boolean;
}

const TOPIC = "$CONTROL/dynamic-security/v1";
const PAGE = 500;
const BATCH = 50;

/**
 * Keeps the clients of Mosquitto's dynamic security plugin equal to the devices table. A device's
 * username and client id are its id, bound to each other. The client's text name says which
 * generation of the secret the broker has, with a digest of it, so that a rotation, another device
 * key and a restored broker are all noticed. Clients whose username is not an id are not ours and
 * are left alone. Changing or deleting a client ends its live session.
 * The topics themselves are granted by the ACL file.
 */
export class DynamicSecurity implements Provisioner {
  /** What the connection must subscribe to; deliveries go to `receive()`. */
  static readonly subscription: Subscription = { filter: `${TOPIC}/response`, qos: 0, rh: 2 };

  readonly #waiting = new Map<string, (answers: Answer[]) => void>();
  #last: Promise<unknown> = Promise.resolve();
  #number = 0;

  constructor(private readonly o: DynamicSecurityOptions) {}

  /** True for the topic of the plugin's answers. */
  static answersOn(topic: string): boolean {
    return topic === DynamicSecurity.subscription.filter;
  }

  /** Takes an answer of the plugin. */
  receive(payload: Uint8Array): void {
    let answers: Answer[];
    try {
      answers = JSON.parse(new TextDecoder().decode(payload)).responses ?? [];
    } catch {
      return;
    }
    const key = answers[0]?.correlationData;
    if (key !== undefined) this.#waiting.get(key)?.(answers);
  }

  async reconcile(devices: DeviceCredential[]): Promise<void> {
    await this.#denyByDefault();
    const present = await this.#clients();
    const wanted = new Map(devices.filter((d) => !d.disabled).map((d) => [d.id, d]));
    const commands: Command[] = [];
    for (const device of wanted.values()) {
      const command = await this.#repair(device, present.get(device.id));
      if (command !== undefined) commands.push(command);
    }
    for (const username of present.keys()) {
      if (isId(username) && !wanted.has(username)) {
        commands.push({ command: "deleteClient", username });
      }
    }
    for (let i = 0; i < commands.length; i += BATCH) {
      await this.#change(commands.slice(i, i + BATCH));
    }
    if (commands.length > 0) {
      this.o.log.info("The broker's credentials were brought up to date", {
        devices: wanted.size,
        changes: commands.length,
      });
    }
  }

  async ensure(device: DeviceCredential): Promise<void> {
    if (device.disabled) {
      return await this.#change([{ command: "deleteClient", username: device.id }]);
    }
    const [answer] = await this.#ask([{ command: "getClient", username: device.id }]);
    const client = (answer?.data as { client?: BrokerClient } | undefined)?.client;
    const command = await this.#repair(device, client);
    if (command !== undefined) await this.#change([command]);
  }

  /** The command that makes the broker's client right; undefined when it already is. */
  async #repair(
    device: DeviceCredential,
    client: BrokerClient | undefined,
  ): Promise<Command | undefined> {
    const password = await this.o.secretOf(device);
    const digest = hash("sha256", `confab broker credential ${password}`).slice(0, 16);
    const textname = `confab device, generation ${device.generation}, ${digest}`;
    const fields = { username: device.id, clientid: device.id, password, textname };
    if (client === undefined) return { command: "createClient", ...fields };
    const right = client.textname === textname && client.clientid === device.id &&
      client.disabled !== true;
    return right ? undefined : { command: "modifyClient", ...fields, disabled: false };
  }

  async #change(commands: Command[]): Promise<void> {
    for (const answer of await this.#ask(commands)) {
      const repeated = answer.error === "Client not found" && answer.command === "deleteClient";
      if (answer.error !== undefined && !repeated) {
        this.o.log.warn("The broker refused a change of its credentials", {
          command: answer.command,
          reason: answer.error,
        });
        throw new ConfabError("unavailable", "The broker refused a change of its credentials");
      }
    }
  }

  /** What the ACL file does not allow falls through to the plugin, which must then deny. */
  async #denyByDefault(): Promise<void> {
    const types = ["publishClientSend", "publishClientReceive", "subscribe"];
    const [answer] = await this.#ask([{ command: "getDefaultACLAccess" }]);
    const { acls = [] } = (answer?.data ?? {}) as { acls?: { acltype: string; allow: boolean }[] };
    const open = acls.filter(({ acltype, allow }) => allow && types.includes(acltype));
    if (open.length === 0) return;
    const closed = open.map(({ acltype }) => ({ acltype, allow: false }));
    await this.#change([{ command: "setDefaultACLAccess", acls: closed }]);
  }

  async #clients(): Promise<Map<string, BrokerClient>> {
    const clients = new Map<string, BrokerClient>();
    for (let offset = 0;; offset += PAGE) {
      const [answer] = await this.#ask([
        { command: "listClients", verbose: true, count: PAGE, offset },
      ]);
      const page = (answer?.data as { clients?: BrokerClient[] } | undefined)?.clients;
      if (page === undefined) throw new ConfabError("unavailable", "The broker lists no clients");
      for (const client of page) clients.set(client.username, client);
      if (page.length < PAGE) return clients;
    }
  }

  /** Sends commands, one batch at a time, and resolves with the broker's answers. */
  #ask(commands: Command[]): Promise<Answer[]> {
    const result = this.#last.then(() => this.#exchange(commands));
    this.#last = result.catch(() => {});
    return result;
  }

  async #exchange(commands: Command[]): Promise<Answer[]> {
    const key = `confab-${++this.#number}-${crypto.randomUUID()}`;
    const marked = commands.map((command) => ({ ...command, correlationData: key }));
    const { signal, deadlineMs = 5000 } = this.o;
    signal?.throwIfAborted();
    const answered = Promise.withResolvers<Answer[]>();
    answered.promise.catch(() => {});
    this.#waiting.set(key, answered.resolve);
    const giveUp = () =>
      answered.reject(new ConfabError("unavailable", "The broker's credentials cannot be changed"));
    const timer = setTimeout(giveUp, deadlineMs);
    signal?.addEventListener("abort", giveUp);
    try {
      await this.o.publisher.publish(TOPIC, JSON.stringify({ commands: marked }));
      return await answered.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      this.#waiting.delete(key);
    }
  }
}
