import { deviceOfUsername } from "../lib/auth/devices.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { type BrokerClient, brokerClients, type SecretOf } from "./broker_clients.ts";
import { type DynsecCommand, DynsecControl } from "./dynsec_control.ts";
import type { DeviceCredential, Provisioner, Publisher } from "./ports.ts";

/** What the provisioning of a Mosquitto works with. */
export interface DynamicSecurityOptions {
  publisher: Publisher;
  /** The bridge's own account at the broker. */
  username?: string | undefined;
  secretOf: SecretOf;
  /**
   * Called for a device of which a secret was replaced, with the new one: takes back what the broker
   * may still publish for the session of the former.
   */
  onReplaced?(login: BrokerClient): Promise<void>;
  /** True while the broker is to refuse the device although its secrets are good. */
  isBarred?(device: string): boolean;
  log: Log;
  /** Nobody waits for answers any more. */
  signal?: AbortSignal;
  /** Default 5,000, for each answer of the broker. */
  deadlineMs?: number;
}

/** A client as the broker lists it. */
interface ListedClient {
  username: string;
  clientid?: string;
  textname?: string;
  disabled?: boolean;
}

/** The broker's clients that are ours: by device, then by username. */
type ListedClients = Map<string, Map<string, ListedClient>>;

const PAGE = 500;
/** Of one message to the plugin: 100 of them are some 30 KB. */
const MAX_COMMANDS = 100;

/**
 * Keeps the clients of Mosquitto's dynamic security plugin equal to the devices table: one client
 * for each secret that is good, bound to the device's id as client id. A client's text name says
 * which generation of the secret the broker has, with a digest of it, so that a rotation, another
 * device key and a restored broker are all noticed. Clients whose username is not one of a device
 * are not ours and are left alone. Changing or deleting a client ends its live session.
 * The topics themselves are granted by the ACL file.
 *
 * What the broker has is read by `differing()`, and remembered: a change is one message.
 */
export class DynamicSecurity extends DynsecControl implements Provisioner {
  #present: ListedClients | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: DynamicSecurityOptions) {
    super(options);
  }

  async differing(devices: DeviceCredential[]): Promise<string[]> {
    const present = await this.#inTurn(async () => {
      await this.#denyByDefault();
      return this.#present = await this.#list();
    });
    const needless = new Set(present.keys());
    const differing: string[] = [];
    for (const device of devices) {
      if (!device.disabled) needless.delete(device.id);
      if ((await this.#commandsFor(device, present)).length > 0) differing.push(device.id);
    }
    return [...new Set([...needless, ...differing])];
  }

  async apply(devices: DeviceCredential[]): Promise<void> {
    await this.#inTurn(async () => {
      const present = this.#present ??= await this.#list();
      const commands: DynsecCommand[] = [];
      for (const device of devices) commands.push(...await this.#commandsFor(device, present));
      // What is revoked goes first.
      commands.sort((a, b) => Number(isRemoval(b)) - Number(isRemoval(a)));
      // Until all is answered, what the broker has is not known.
      this.#present = undefined;
      for (let i = 0; i < commands.length; i += MAX_COMMANDS) {
        await this.#change(commands.slice(i, i + MAX_COMMANDS));
      }
      for (const command of commands) note(present, command);
      this.#present = present;
      await this.#replaced(commands);
    });
  }

  /** Of devices whose only secret is another one now; not at the end of a grace. */
  async #replaced(commands: DynsecCommand[]): Promise<void> {
    const { onReplaced, log } = this.options;
    const logins = commands as unknown as (DynsecCommand & BrokerClient)[];
    const removed = new Set(
      logins.filter(isRemoval).map(({ username }) => deviceOfUsername(username)),
    );
    const made = logins.filter(({ command }) => command === "createClient");
    await Promise.all(
      made.filter(({ username }) => removed.has(deviceOfUsername(username))).map((login) =>
        onReplaced?.(login).catch((error) => {
          log.warn("A last will with a former secret may still be published", {
            device: login.clientid,
            error,
          });
        })
      ),
    );
  }

  /** What makes the broker's clients of a device right; nothing when they are. */
  async #commandsFor(device: DeviceCredential, present: ListedClients): Promise<DynsecCommand[]> {
    const clients = present.get(device.id);
    const commands: DynsecCommand[] = [];
    const wanted = new Set<string>();
    const disabled = this.options.isBarred?.(device.id) ?? false;
    for (const fields of await brokerClients(device, this.options.secretOf)) {
      const { username } = fields;
      wanted.add(username);
      const client = clients?.get(username);
      if (client === undefined) commands.push({ command: "createClient", ...fields });
      else if (!isRight(client, fields)) commands.push({ command: "modifyClient", ...fields });
      // Mosquitto 2.0 ignores `disabled` in the commands above.
      if ((client?.disabled ?? false) === disabled) continue;
      commands.push({ command: disabled ? "disableClient" : "enableClient", username });
    }
    for (const username of clients?.keys() ?? []) {
      if (!wanted.has(username)) commands.push({ command: "deleteClient", username });
    }
    return commands;
  }

  /** Sends all of them, and throws when one was refused: the others are done. */
  async #change(commands: DynsecCommand[]): Promise<void> {
    const answers = await this.ask(commands);
    const refused = answers.filter(({ error, command }) =>
      error !== undefined && !(error === "Client not found" && command === "deleteClient")
    );
    for (const { command, error } of refused) {
      const reason = error;
      this.options.log.warn("The broker refused a change of its credentials", { command, reason });
    }
    if (refused.length === 0) return;
    throw new ConfabError("unavailable", "The broker refused a change of its credentials");
  }

  /** What the ACL file does not allow falls through to the plugin, which must then deny. */
  async #denyByDefault(): Promise<void> {
    const types = ["publishClientSend", "publishClientReceive", "subscribe"];
    const [answer] = await this.ask([{ command: "getDefaultACLAccess" }]);
    const { acls = [] } = (answer?.data ?? {}) as { acls?: { acltype: string; allow: boolean }[] };
    const open = acls.filter(({ acltype, allow }) => allow && types.includes(acltype));
    if (open.length === 0) return;
    const closed = open.map(({ acltype }) => ({ acltype, allow: false }));
    await this.#change([{ command: "setDefaultACLAccess", acls: closed }]);
  }

  async #list(): Promise<ListedClients> {
    const clients: ListedClients = new Map();
    const unbound: string[] = [];
    for (let offset = 0;; offset += PAGE) {
      const [answer] = await this.ask([
        { command: "listClients", verbose: true, count: PAGE, offset },
      ]);
      const page = (answer?.data as { clients?: ListedClient[] } | undefined)?.clients;
      if (page === undefined) throw new ConfabError("unavailable", "The broker lists no clients");
      for (const client of page) {
        keep(clients, client);
        if (isUnbound(client, this.options.username)) unbound.push(client.username);
      }
      if (page.length < PAGE) break;
    }
    if (unbound.length > 0) {
      // The rights of the ACL file hang on the client id.
      this.options.log.warn(
        "Accounts of the broker without a client id of their own may act as any device",
        { count: unbound.length, usernames: unbound.slice(0, 5) },
      );
    }
    return clients;
  }

  /** One at a time: a list is not read while it changes. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** True for an account that is neither ours nor a device's and may choose its client id. */
function isUnbound({ username, clientid, disabled }: ListedClient, own?: string): boolean {
  if (username === own || disabled === true || (clientid ?? "") !== "") return false;
  return deviceOfUsername(username) === undefined;
}

function isRemoval({ command }: DynsecCommand): boolean {
  return command === "deleteClient";
}

function isRight(client: ListedClient, { textname, clientid }: BrokerClient): boolean {
  return client.textname === textname && client.clientid === clientid;
}

function keep(clients: ListedClients, { username, clientid, textname, disabled }: ListedClient) {
  const device = deviceOfUsername(username);
  if (device === undefined) return;
  const client = {
    username,
    ...(clientid === undefined ? {} : { clientid }),
    ...(textname === undefined ? {} : { textname }),
    ...(disabled === undefined ? {} : { disabled }),
  };
  const own = clients.get(device) ?? new Map<string, ListedClient>();
  clients.set(device, own.set(username, client));
}

/** Remembers what a command has changed. */
function note(clients: ListedClients, command: DynsecCommand): void {
  const client = command as unknown as ListedClient;
  const device = deviceOfUsername(client.username);
  if (device === undefined) return;
  const known = clients.get(device)?.get(client.username);
  if (command.command === "disableClient" || command.command === "enableClient") {
    if (known !== undefined) known.disabled = command.command === "disableClient";
    return;
  }
  if (!isRemoval(command)) return keep(clients, { ...client, disabled: known?.disabled ?? false });
  clients.get(device)?.delete(client.username);
  if (clients.get(device)?.size === 0) clients.delete(device);
}
