import { BrokenPromise } from "./broken_promise.ts";
import { ModelClient } from "./client.ts";
import { checkHealed, wantedRooms } from "./healed.ts";
import { ModelNode } from "./node.ts";
import type { Pieces } from "./pieces.ts";
import { foundRooms, ROOMS } from "./rooms.ts";
import { type Command, commandOf } from "./schedule.ts";
import { PEOPLE } from "./stored_room.ts";
import { Surroundings } from "./surroundings.ts";
import { Traffic } from "./traffic.ts";

/** Events after which a healed world must have come to rest. */
const PATIENCE = 2000;

/** Two nodes, a bus that may do anything, a store, and clients that come and go. */
export class World extends Surroundings {
  readonly nodes: readonly ModelNode[];
  readonly clients: readonly ModelClient[];
  readonly #traffic: Traffic;

  constructor(pieces: Pieces, story?: string[]) {
    super(pieces, foundRooms());
    this.nodes = ["node a", "node b"].map((name) => new ModelNode(this, name));
    this.#traffic = new Traffic(this, this.nodes);
    this.clients = PEOPLE.map((_, who) => new ModelClient(this, who, ROOMS));
    for (const client of this.clients) {
      client.connect(this.nodes[client.who % 2]!);
      client.rooms[0]!.follow();
    }
    this.#rest();
    this.story = story;
  }

  /** Runs a schedule, heals the world and checks what then must hold. Throws BrokenPromise. */
  run(schedule: readonly number[]): void {
    for (const code of schedule) this.do(commandOf(code));
    this.heal(schedule.length % 2 === 0);
    checkHealed(this.store, this.clients);
  }

  do(command: Command): void {
    const { kind, a, b, c } = command;
    const node = this.nodes[a % this.nodes.length]!;
    const client = this.clients[a % this.clients.length]!;
    const room = client.rooms[b % 4 === 3 ? 1 : 0]!;
    switch (kind) {
      case "step":
        return this.#step(b, a % 2 === 0);
      case "receive":
        return void client.receive(1 + b % 5);
      case "flush":
        return this.#flush(node);
      case "send":
        return this.#traffic.send(command);
      case "change":
      case "membership":
        return this.#traffic.change(command);
      case "bus":
        return this.#traffic.carry(a % this.nodes.length, b, c);
      case "beacon":
        return node.beacon();
      case "connect":
        client.cut(c % 3 !== 0);
        return client.connect(this.nodes[b % this.nodes.length]!);
      case "cut":
        return client.cut(b % 2 === 0);
      case "follow":
        this.tell(() => `p${client.who} follows ${room.id}`);
        return room.follow();
      case "stop":
        this.tell(() => `p${client.who} leaves ${room.id}`);
        return room.stop();
      case "earlier":
        return room.messages.loadEarlier();
      case "timer":
        return this.timers.length > 0 ? this.fire(b % this.timers.length) : undefined;
      case "fail":
        return this.questions.length > 0 ? this.fail(b % this.questions.length) : undefined;
      case "lose":
        return client.loseEntry();
      case "restore":
        return c % 2 === 0 ? this.#restore(1 + b % 4) : undefined;
    }
  }

  #step(pick: number, whole: boolean): void {
    if (this.questions.length === 0) return;
    const index = pick % this.questions.length;
    const half = !this.questions[index]!.taken;
    this.step(index);
    if (half && whole) this.step(index);
  }

  #restore(entries: number): void {
    this.store.restore(entries);
    this.tell(() => `restore: ${entries} entries less, epoch ${this.store.epoch}`);
  }

  /** Hands over what a node has, and cuts off readers that are too slow for it. */
  #flush(node: ModelNode): void {
    this.tell(() => `${node.name} flushes`);
    node.flush();
    for (const client of this.clients) {
      if (!client.connection?.overflows) continue;
      this.tell(() => `p${client.who} is too slow`);
      client.cut(true);
    }
  }

  /** Everybody comes back, nothing fails any more, and every node has one beacon. */
  heal(late: boolean): void {
    this.tell(() => "the world heals");
    this.#traffic.lose();
    for (const client of this.clients) {
      if (client.connection === undefined) client.connect(this.nodes[0]!);
    }
    for (const node of this.nodes) node.beacon();
    this.#rest(late);
    // Whoever was told that they have no access, and has it again, tries again
    for (const { room } of wantedRooms(this.store, this.clients)) {
      if (room.status === "evicted") room.follow();
      else room.messages.load();
    }
    this.#rest(late);
  }

  /**
   * Lets everything happen that needs no luck: questions first and in their order, or, when
   * `late`, frames first and the newest questions before older ones. Throws when it does not end.
   */
  #rest(late = false): void {
    for (let events = 0; events < PATIENCE; events++) {
      if (!late && this.#ask(0)) continue;
      if (this.#flow()) continue;
      if (this.#ask(this.questions.length - 1)) continue;
      if (this.timers.length === 0) return;
      this.fire(0);
    }
    throw new BrokenPromise("The world does not come to rest");
  }

  /** Moves the question at `index` one step on; false when there is none. */
  #ask(index: number): boolean {
    if (this.questions.length === 0) return false;
    this.step(index);
    return true;
  }

  /** Moves everything from nodes to clients, who are all fast now; false when there was nothing. */
  #flow(): boolean {
    let any = false;
    for (const node of this.nodes) any = node.flush() || any;
    for (const client of this.clients) {
      any = client.receive(Infinity) || any;
      if (client.connection !== undefined) continue;
      client.connect(this.nodes[0]!);
      any = true;
    }
    return any;
  }
}
