import { assertEquals, assertRejects } from "@std/assert";
import { ConfabClient, ConfabClientError, SessionTokens } from "../lib/client/mod.ts";
import type { Message, Room, SocketConstructor, User } from "../lib/client/mod.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer } from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

/** One person with the SDK, whose link can be cut. */
class Person implements AsyncDisposable {
  readonly tokens: SessionTokens;
  readonly client: ConfabClient;
  me!: User;
  #sockets: WebSocket[] = [];

  constructor(url: string) {
    this.tokens = new SessionTokens({ url });
    const sockets = this.#sockets;
    const Recorded = class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols);
        sockets.push(this);
      }
    };
    this.client = new ConfabClient({
      url,
      tokens: this.tokens,
      WebSocket: Recorded as unknown as SocketConstructor,
    });
  }

  static async join(url: string, name: string): Promise<Person> {
    const person = new Person(url);
    const username = `${name}-${crypto.randomUUID().slice(0, 8)}`;
    const password = "correct horse battery";
    person.me = await person.tokens.register({ username, password, displayName: name });
    person.client.connect();
    return person;
  }

  /**
   * Ends the link as a network would, and comes back at once. Not in the middle of an upgrade: for
   * the rest of that handshake a server in the same process would wait beyond the test.
   */
  async cut(): Promise<void> {
    await until("there is a link", () => this.client.state.name === "connected");
    this.#sockets.at(-1)?.close();
    await until("the link is gone", () => this.client.state.name !== "connected");
    this.client.retryNow();
  }

  async [Symbol.asyncDispose]() {
    this.client.close();
    const open = this.#sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED);
    await Promise.all(
      open.map((socket) => new Promise((resolve) => socket.addEventListener("close", resolve))),
    );
  }
}

async function twoInARoom(url: string): Promise<[Person, Person, string]> {
  const [one, two] = [await Person.join(url, "one"), await Person.join(url, "two")];
  const { room } = await one.client.rest.createRoom({ name: "a room", visibility: "private" });
  await one.client.rest.putMember(room.id, two.me.id, "member");
  return [one, two, room.id];
}

/** What everybody must agree on; only the sender sees a clientId. */
function shown(messages: readonly Message[]) {
  return messages.map(({ clientId: _, ...message }) => message);
}

const settled = (room: Room) => room.status === "live" && room.outbox.items.length === 0;

testWith(serverService, "SDK: what two people write through broken links, both read", async () => {
  await using server = await startTestServer();
  const [one, two, id] = await twoInARoom(server.url);
  await using _one = one;
  await using _two = two;
  const rooms = [one.client.room(id), two.client.room(id)] as const;
  const seen = rooms.map((room) => {
    const texts: string[] = [];
    room.on("message", ({ text }) => texts.push(text ?? ""));
    return texts;
  });
  await Promise.all(rooms.map((room) => room.load()));
  const sent = Array.from({ length: 60 }, (_, i) => rooms[i % 2]!.send({ text: `m${i}` }));
  await one.cut();
  await two.cut();
  await one.cut();
  await Promise.all(sent);
  const { seq } = await rooms[0].send({ text: "to be changed" });
  await two.cut();
  await rooms[0].edit(seq, { text: "changed" });
  await rooms[0].delete((await sent[0]!).seq);
  const head = () => rooms[0].cursor?.seq;
  await until(
    "both have everything",
    () => rooms.every(settled) && head() === rooms[1].cursor?.seq,
  );
  await until("the deletion is known", () => rooms[1].timeline.get(seq)?.text === "changed");
  const fresh = await one.client.rest.messages(id, { limit: 100 });
  for (const room of rooms) {
    await until("all of it", () => room.cursor?.seq === fresh.head);
    assertEquals(shown(room.timeline.messages), shown(fresh.messages));
  }
  for (const texts of seen) {
    assertEquals(texts.length, 61);
    for (const parity of [0, 1]) {
      const numbers = texts.filter((text) => text.startsWith("m")).map((text) => +text.slice(1));
      const mine = numbers.filter((number) => number % 2 === parity);
      assertEquals(mine, Array.from({ length: 30 }, (_, i) => 2 * i + parity));
    }
  }
});

testWith(serverService, "SDK: one who was away for too long starts over", async () => {
  await using server = await startTestServer({ LIMIT_REPLAY_ENTRIES: "5" });
  const [one, two, id] = await twoInARoom(server.url);
  await using _one = one;
  await using _two = two;
  const room = two.client.room(id);
  let resets = 0;
  room.on("reset", () => resets++);
  await room.load();
  two.client.close();
  for (let i = 0; i < 8; i++) await one.client.room(id).send({ text: `m${i}` });
  two.client.connect();
  await until("the timeline is back", () => room.timeline.messages.length === 8);
  assertEquals([resets, room.unread], [1, 8]);
  await one.client.room(id).send({ text: "live again" });
  await until("live", () => room.timeline.messages.at(-1)?.text === "live again");
});

testWith(serverService, "SDK: reading, typing and leaving reach the other", async () => {
  await using server = await startTestServer();
  const [one, two, id] = await twoInARoom(server.url);
  await using _one = one;
  await using _two = two;
  const [mine, theirs] = [one.client.room(id), two.client.room(id)];
  await Promise.all([mine.load(), theirs.load()]);
  const typing: string[] = [];
  const receipts: number[] = [];
  mine.on("typing", ({ id }) => typing.push(id));
  mine.on("receipt", ({ read }) => receipts.push(read));
  const { seq } = await mine.send({ data: { temperature: 21.5 } });
  await until("it arrived", () => theirs.unread === 1);
  theirs.typing();
  theirs.markRead();
  await until("both signals", () => typing.includes(two.me.id) && receipts.includes(seq));
  assertEquals([theirs.unread, theirs.timeline.get(seq)?.data], [0, { temperature: 21.5 }]);
  const evicted: string[] = [];
  theirs.on("evicted", ({ code }) => evicted.push(code));
  await one.client.rest.removeMember(id, two.me.id);
  await until("evicted", () => evicted.length === 1);
  assertEquals([evicted, theirs.status], [["removed"], "evicted"]);
  const error = await assertRejects(() => theirs.join(), ConfabClientError);
  assertEquals(error.code, "not_found");
});

testWith(serverService, "SDK: logging out ends the connection for good", async () => {
  await using server = await startTestServer();
  await using one = await Person.join(server.url, "one");
  const { client, tokens } = one;
  await until("connected", () => client.state.name === "connected");
  await tokens.logout();
  await until("closed", () => client.state.name === "closed");
});
