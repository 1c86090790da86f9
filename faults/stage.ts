import type { MqttAccess } from "./clients/mqtt_device.ts";
import { MqttDevice } from "./clients/mqtt_device.ts";
import { Account } from "./clients/account.ts";
import { Api, type Node } from "./clients/api.ts";
import type { Client, Writer } from "./clients/client.ts";
import type { DevicePartMaker } from "./clients/device_part.ts";
import { get } from "./clients/pages.ts";
import { RestWriter } from "./clients/rest_writer.ts";
import { reached, wait } from "./clients/waiting.ts";
import { WsClient } from "./clients/ws_client.ts";
import type { Meter } from "./clients/meter.ts";
import type { Cluster } from "./cluster.ts";
import type { LookContext } from "./metering_looks.ts";
import { finalRoom } from "./workload_final.ts";
import type { History, WriteRecord } from "./history.ts";
import { whenReached } from "./when_reached.ts";
import type { LinkEnd, LinkHandle } from "./world.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";

/** Everybody shall have everything within 5 s; then it is too late, and the run goes on. */
const CONVERGE_MS = 8000;
const SETTLE_MS = 12_000;

/** One room with its owner, on which a directed scenario is played. */
export class Stage {
  readonly recorder: Recorder;
  readonly random: Random;
  readonly api: Api;
  owner!: Account;
  room = "";
  readonly #stop = new AbortController();
  readonly #clients: Client[] = [];
  readonly #writers: Writer[] = [];
  #texts = 0;

  private constructor(readonly world: Cluster, seed: number) {
    this.recorder = new Recorder(seed, () => world.now());
    this.random = new Random(seed);
    this.api = new Api(world.nodes, this.random);
  }

  /** A private room of `ada`. */
  static async open(world: Cluster, seed: number): Promise<Stage> {
    const stage = new Stage(world, seed);
    stage.owner = await stage.account("ada");
    const token = await stage.owner.token();
    const body = { name: "stage", visibility: "private" };
    const answer = await stage.api.request("POST", "/v1/rooms", { token, body });
    stage.room = answer.body.room.id;
    stage.recorder.rooms.push({ id: stage.room, name: "stage" });
    return stage;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  node(number: number): Cluster["nodes"][number] {
    return this.world.nodes[number - 1]!;
  }

  pause(ms: number): Promise<void> {
    return wait(ms, this.signal);
  }

  /** Somebody who has signed up at the first node, and is in no room. */
  async account(name: string): Promise<Account> {
    const api = new Api([this.node(1)], this.random);
    const options = { api, recorder: this.recorder, signal: this.signal };
    const account = await Account.register(name, { ...options, comesBack: false });
    this.recorder.principals.push({ id: account.id, name, kind: "user", stranger: false });
    return account;
  }

  /** Somebody who is a member. */
  async member(name: string): Promise<Account> {
    const account = await this.account(name);
    await this.add(account.id);
    return account;
  }

  /** The owner adds somebody, through the first node. */
  async add(principal: string): Promise<void> {
    await this.#owners(1).written(this.room, { type: "add", principal, role: "member" });
  }

  /** The owner removes somebody, through a node. */
  remove(principal: string, node = 1): Promise<WriteRecord> {
    return this.#owners(node).written(this.room, { type: "remove", principal });
  }

  /** A program on a socket to one node (or to any) that follows the room. */
  socket(account: Account, node?: Node, name = `${account.name}-ws`): WsClient {
    const api = node === undefined ? this.api : new Api([node], this.random);
    const client = new WsClient({
      ...{ name, account, api, recorder: this.recorder, signal: this.signal, random: this.random },
      inFlight: 64,
    });
    client.follow(this.room);
    this.#clients.push(client);
    this.#writers.push(client);
    return client;
  }

  /** A device of the owner that is a member and follows the room. */
  async device(name: string, ...parts: DevicePartMaker[]): Promise<MqttDevice> {
    const access = await this.provision(name);
    const { recorder, signal, random } = this;
    const device = new MqttDevice({ name, access, recorder, signal, random, parts });
    device.follow(this.room);
    this.#clients.push(device);
    this.#writers.push(device);
    await this.until(`${name} is connected`, () => device.connected);
    return device;
  }

  /** Makes a device and adds it; what it needs to connect. */
  async provision(name: string): Promise<MqttAccess & { topics: Record<string, string> }> {
    const token = await this.owner.token();
    const answer = await this.api.request("POST", "/v1/devices", { token, body: { name } });
    if (answer.status !== 201) throw new Error(`POST /v1/devices: ${answer.code}`);
    const { id } = answer.body.device;
    this.recorder.principals.push({ id, name, kind: "device", stranger: false });
    await this.add(id);
    return answer.body.mqtt;
  }

  /** One more message, with a text that nobody else sends. */
  say(writer: Writer): WriteRecord {
    const number = ++this.#texts;
    const text = `text ${number}`;
    return writer.write(this.room, { type: "send", clientId: `${writer.name}:${number}`, text });
  }

  /** The link of one process to a server, such as `web2` to `redis`. */
  link(process: string, to: LinkEnd): LinkHandle {
    const found = this.world.links({ to }).find(({ name }) => name === `${process}->${to}`);
    if (found === undefined) throw new Error(`No link from ${process} to ${to}`);
    return found;
  }

  /** Messages at a pace, until `ms` are over. */
  async sayFor(ms: number, everyMs: number, ...writers: Writer[]): Promise<void> {
    const end = this.world.now() + ms;
    while (this.world.now() < end) {
      for (const writer of writers) this.say(writer);
      await this.pause(everyMs);
    }
  }

  /** Who looks at what is stored of devices: the owner, who is in the room. */
  get looking(): LookContext {
    const { api, owner, recorder, signal } = this;
    return { api, owner, recorder, signal };
  }

  /** Ends a client with the others. */
  adopt(client: Client): void {
    this.#clients.push(client);
  }

  /** The owner says how often a device should be heard; null: not at all. */
  async expect({ principal, record }: Meter, seconds: number | null): Promise<void> {
    const from = this.world.now();
    const token = await this.owner.token();
    const path = `/v1/devices/${principal}/expectation`;
    const body = { expectedSeconds: seconds };
    const { code } = await this.api.request("PUT", path, { token, body });
    if (code !== "") throw new Error(`PUT ${path}: ${code}`);
    if (seconds !== null) record.expectation = { seconds, from };
    else if (record.expectation !== undefined) record.expectation.to = this.world.now();
  }

  /** Waits for what a check will ask for: true when it came in time. */
  reached(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    return reached(condition, deadlineMs, this.signal);
  }

  /** Waits for what the scenario needs; throws when it does not come. */
  async until(what: string, condition: () => boolean, deadlineMs = 15_000): Promise<void> {
    if (!await reached(condition, deadlineMs, this.signal)) throw new Error(`Not yet: ${what}`);
  }

  /** Waits until these clients have everything that is stored now. */
  async caughtUp(...clients: Client[]): Promise<void> {
    const head = await this.head();
    const all = () => clients.every((one) => (one.position(this.room) ?? Infinity) >= head);
    await this.until(`everybody has entry ${head}`, all);
  }

  async head(): Promise<number> {
    const rows = await this.world.postgres.query<{ head: number }>(
      "select head from rooms where id = $1",
      [this.room],
    );
    return Number(rows[0]!.head);
  }

  /** Asks every node who is online, until all of them name these people or the time is over. */
  async online(expected: readonly string[], withinMs: number): Promise<void> {
    const end = this.world.now() + withinMs;
    for (let right = 0; right < this.world.nodes.length && this.world.now() < end;) {
      right = 0;
      for (const node of this.world.nodes) if (await this.#saysOnline(node, expected)) right++;
      await this.pause(300);
    }
  }

  /** Ends a session, through the first node; what is recorded of it names these clients. */
  async logout(account: Account, ...clients: Client[]): Promise<void> {
    if (!await account.logout()) throw new Error("The logout was refused");
    this.recorder.accessEnds.push({
      principal: account.id,
      how: "logout",
      at: this.world.now(),
      clients: clients.map(({ name }) => name),
    });
  }

  /** Heals everything, waits for answers and readers, ends the clients, reads what is stored. */
  async finish(): Promise<History> {
    const { world, recorder, room } = this;
    await world.heal();
    const healedAt = world.now();
    await reached(
      () => this.#writers.every(({ backlog }) => backlog === 0),
      SETTLE_MS,
      this.signal,
    );
    const lastAckAt = Math.max(
      0,
      ...recorder.writes.flatMap(({ acks }) => acks.map(({ at }) => at)),
    );
    const head = await this.head();
    const gone = new Set(recorder.accessEnds.flatMap(({ clients }) => clients));
    const members = new Set((await this.#members()).map(({ id }) => id));
    const readers = this.#clients.filter((client) =>
      !gone.has(client.name) && members.has(client.principal) &&
      client.position(room) !== undefined
    );
    const reachedBy = await whenReached(readers, room, head, CONVERGE_MS, () => world.now());
    recorder.convergence = { healedAt, lastAckAt, reached: reachedBy };
    await Promise.all(this.#clients.map((client) => client.stop()));
    recorder.final.push(await finalRoom(this, world.postgres, room));
    recorder.exits.push(...world.exits);
    return recorder.history();
  }

  /** A GET as the owner that must succeed. */
  // deno-lint-ignore no-explicit-any -- plain JSON, read by whoever knows what was asked
  async call(_method: string, path: string): Promise<any> {
    const { code, body } = await get(this.#reader(), path);
    if (code !== "") throw new Error(`GET ${path}: ${code}`);
    return body;
  }

  /** Ends all clients; calling it after finish() changes nothing. */
  close(): void {
    this.#stop.abort();
  }

  #reader(node?: Node) {
    const api = node === undefined ? this.api : new Api([node], this.random);
    return { account: this.owner, api, recorder: this.recorder, signal: this.signal };
  }

  async #saysOnline(node: Node, expected: readonly string[]): Promise<boolean> {
    const { room, recorder } = this;
    const { code, body } = await get(this.#reader(node), `/v1/rooms/${room}/presence`);
    if (code !== "") return false;
    const items = body.items as { principal: string; state: string }[];
    const online = items.filter(({ state }) => state === "online").map((one) => one.principal);
    const record = { at: this.world.now(), through: node.name, room, state: body.state };
    recorder.presence.push({ ...record, online, expected: [...expected] });
    return body.state === "known" && new Set([...online, ...expected]).size === expected.length &&
      online.length === expected.length;
  }

  /** A program of somebody that writes over REST, through a node. */
  rest(account: Account, node: number): RestWriter {
    const context = { ...this.#reader(this.node(node)), account };
    const writer = new RestWriter({ ...context, name: `${account.name}-rest` });
    this.#writers.push(writer);
    return writer;
  }

  #owners(node: number): RestWriter {
    return this.rest(this.owner, node);
  }

  async #members(): Promise<{ id: string }[]> {
    return await this.world.postgres.query<{ id: string }>(
      "select principal_id as id from members where room_id = $1",
      [this.room],
    );
  }
}
