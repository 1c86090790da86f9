import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import { type Connection, Connections } from "./connections.ts";

const LIMITS = { sockets: 5, socketsPerPrincipal: 2, socketsPerAddress: 3, outboxBytes: 1e6 };

class FakeConnection implements Connection {
  readonly closes: [string, number | undefined][] = [];
  readonly principal: Principal;
  readonly since = 0;
  nativeBytes = 0;
  constructor(id: string, session = `session of ${id}`, private readonly ended = () => {}) {
    this.principal = { id, kind: "user", role: "user", name: id, session };
  }
  close(why: string, retryAfter?: number): void {
    this.closes.push([why, retryAfter]);
    this.ended();
  }
}

function refused(connections: Connections, principal: string, address: string): string {
  return assertThrows(() => connections.admit(principal, address), ConfabError).code;
}

Deno.test("Connections admits up to its limits and counts what is given back", () => {
  const connections = new Connections(LIMITS);
  const a1 = connections.admit("a", "1");
  connections.admit("a", "2");
  assertEquals(refused(connections, "a", "3"), "rate_limited");
  connections.admit("b", "1");
  connections.admit("c", "1");
  assertEquals(refused(connections, "d", "1"), "rate_limited");
  connections.admit("d", "4");
  assertEquals([connections.size, refused(connections, "e", "5")], [5, "overloaded"]);
  a1.release();
  a1.release();
  assertEquals(connections.size, 4);
  connections.admit("a", "1");
  assertEquals(refused(connections, "a", "9"), "overloaded");
});

Deno.test("Connections ends what a revocation concerns and nothing else", () => {
  const connections = new Connections(LIMITS);
  const [a, b, c] = [
    new FakeConnection("a", "s1"),
    new FakeConnection("a", "s2"),
    new FakeConnection("b", "s3"),
  ];
  for (const connection of [a, b, c]) {
    connections.admit(connection.principal.id, "x").occupy(connection);
  }
  connections.revoked({ session: "s2" });
  assertEquals([a.closes.length, b.closes, c.closes.length], [
    0,
    [["unauthenticated", undefined]],
    0,
  ]);
  connections.revoked({ principal: "b" });
  assertEquals([a.closes.length, c.closes.length], [0, 1]);
});

Deno.test("Connections reaches nobody who has given the place back", () => {
  const connections = new Connections(LIMITS);
  const gone = new FakeConnection("a");
  const slot = connections.admit("a", "1");
  slot.occupy(gone);
  slot.release();
  connections.revoked({ principal: "a" });
  // One whose opening took too long: it ended before it was open.
  const late = new FakeConnection("b");
  const place = connections.admit("b", "1");
  place.release();
  place.occupy(late);
  connections.revoked({ principal: "b" });
  connections.drain();
  assertEquals([gone.closes, late.closes, connections.size], [[], [], 0]);
});

Deno.test("Connections drains: everybody comes back later, nobody is admitted", () => {
  const connections = new Connections(LIMITS);
  const slots = ["a", "b"].map((id) => {
    const slot = connections.admit(id, id);
    const connection = new FakeConnection(id, id, () => slot.release());
    slot.occupy(connection);
    return connection;
  });
  const opening = connections.admit("c", "c");
  connections.drain(3);
  for (const { closes } of slots) {
    assertEquals(closes.map(([why]) => why), ["restarting"]);
    assert(closes[0]![1]! >= 0 && closes[0]![1]! <= 3);
  }
  assertEquals(refused(connections, "d", "d"), "restarting");
  const late = new FakeConnection("c");
  opening.occupy(late);
  assertEquals(late.closes.map(([why]) => why), ["restarting"]);
  assertEquals(connections.size, 1);
});

Deno.test("Connections tells those who still open that the node leaves, each once at most", () => {
  const connections = new Connections({ ...LIMITS, socketsPerPrincipal: 9, socketsPerAddress: 9 });
  const told: string[] = [];
  const admit = (name: string) => {
    const slot = connections.admit("a", "1");
    slot.opening(() => told.push(name));
    return slot;
  };
  admit("opening");
  admit("open").occupy(new FakeConnection("a"));
  const gone = admit("gone");
  gone.release();
  gone.opening(() => told.push("gone again"));
  connections.drain();
  assertEquals(told, ["opening"]);
});

Deno.test("Connections lets less wait for each while memory is short", () => {
  let short = false;
  const connections = new Connections(LIMITS, () => short);
  assertEquals(connections.outboxBytes, 1e6);
  short = true;
  assertEquals(connections.outboxBytes, 65_536);
  const small = new Connections({ ...LIMITS, outboxBytes: 1000 }, () => short);
  assertEquals(small.outboxBytes, 1000);
});

Deno.test("Connections counts what is outside the heap as long as a place is taken", () => {
  const connections = new Connections(LIMITS);
  const slot = connections.admit("a", "1");
  const connection = new FakeConnection("a");
  slot.occupy(connection);
  const idle = connections.nativeBytes;
  assert(idle > 0);
  connection.nativeBytes = 1_000_000;
  assertEquals(connections.nativeBytes - idle, 1_000_000);
  slot.release();
  assertEquals(connections.nativeBytes, 0);
});
