import { assert, assertEquals, assertThrows } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { DOWN, Topics, UP } from "./topics.ts";

const topics = new Topics("confab/");
const device = newId();
const other = newId();
const room = newId();

Deno.test("Topics.parse() reads back what it builds", () => {
  for (const kind of ["send", "telemetry", "reported"] as const) {
    assertEquals(topics.parse(topics[kind](device, room)), { kind, device, room });
  }
  for (const kind of ["requests", "replies", "status"] as const) {
    assertEquals(topics.parse(topics[kind](device)), { kind, device });
  }
});

Deno.test("Topics.parse() refuses everything that is not exactly one of the topics", () => {
  const own = topics.own(device);
  for (
    const topic of [
      "",
      "confab/",
      own,
      `${own}send`,
      `${own}rooms/${room}/replies`,
      `${own}status/${room}`,
      `${own}rooms/${room}`,
      `${own}rooms/${room}/send/`,
      `${own}rooms/${room}/send/x`,
      `${own}rooms/${room.toUpperCase()}/send`,
      `${own}rooms/+/send`,
      `${own}rooms/#`,
      `${own}rooms/../send`,
      `${own}rooms/${room}/events`,
      `/${own}rooms/${room}/send`,
      `x${own}rooms/${room}/send`,
      `confab/d/${device}%2f/rooms/${room}/send`,
      `confab/d/+/rooms/${room}/send`,
      `confab/d//rooms/${room}/send`,
      `other/d/${device}/rooms/${room}/send`,
      "$SYS/broker/uptime",
      "$CONTROL/dynamic-security/v1",
    ]
  ) assertEquals(topics.parse(topic), undefined, topic);
});

Deno.test("a device may publish its own up topics and nothing else", () => {
  const own = topics.own(device);
  for (const pattern of UP) assert(topics.mayPublish(device, own + pattern.replace("+", room)));
  for (const pattern of DOWN) {
    const topic = own + pattern.replace("+", room).replace("/#", "");
    assert(!topics.mayPublish(device, topic), topic);
    assert(topics.mayReceive(device, topic), topic);
    assert(!topics.mayReceive(other, topic), topic);
  }
  for (
    const topic of [
      topics.send(other, room),
      `${own}rooms/not-an-id/send`,
      `${own}rooms/+/send`,
      `${own}status/x`,
      `${own}`,
      "$SYS/x",
      "$CONTROL/dynamic-security/v1",
      `$share/g/${own}requests`,
    ]
  ) assert(!topics.mayPublish(device, topic), topic);
});

Deno.test("a device's filters stay under its own prefix and can match something readable", () => {
  const own = topics.own(device);
  for (
    const filter of [
      `${own}#`,
      `${own}+`,
      `${own}rooms/#`,
      `${own}rooms/+/events`,
      `${own}rooms/${room}/+`,
      `${own}rooms/${room}/head`,
      `${own}receipts`,
      `${own}responses`,
      `${own}responses/mine`,
      `${own}errors`,
    ]
  ) assert(topics.maySubscribe(device, filter), filter);
  for (
    const filter of [
      "#",
      "+/#",
      "confab/#",
      "confab/d/#",
      "confab/d/+/rooms/+/events",
      topics.events(other, room),
      `${own}rooms/+/send`,
      `${own}status`,
      `${own}rooms/+events`,
      `${own}#/x`,
      "$SYS/#",
      `$share/g/${own}rooms/+/events`,
      "",
    ]
  ) assert(!topics.maySubscribe(device, filter), filter);
});

Deno.test("response topics lie under the device's own responses or are its receipts", () => {
  const own = topics.own(device);
  assert(topics.mayRespondOn(device, `${own}responses/abc`));
  assert(topics.mayRespondOn(device, `${own}receipts`));
  for (
    const topic of [
      `${own}events`,
      `${own}rooms/${room}/events`,
      `${own}responses/#`,
      `${topics.own(other)}responses`,
      `${own}responsesx`,
      `${own}responses${"/".repeat(16)}`,
      "x",
    ]
  ) assert(!topics.mayRespondOn(device, topic), topic);
});

Deno.test("Topics refuses a prefix that does not end with a slash", () => {
  for (const prefix of ["confab", "", "/", "a b/", "+/", "#/"]) {
    assertThrows(() => new Topics(prefix), TypeError);
  }
});

Deno.test("Topics.ownerOf() names the device of any topic below its prefix", () => {
  for (const rest of ["rooms/lobby/send", "rooms//send", "", "x".repeat(60_000)]) {
    assertEquals(topics.ownerOf(topics.own(device) + rest), device);
  }
  for (const topic of ["", "confab/d/", `confab/d/${device.toUpperCase()}/x`, `d/${device}/x`]) {
    assertEquals(topics.ownerOf(topic), undefined, topic);
  }
});

Deno.test("Topics.maxLevels is the depth of the deepest response topic", () => {
  for (const topics of [new Topics("confab/"), new Topics("site/a/b/")]) {
    const deepest = `${topics.responses(device)}${"/x".repeat(15)}`;
    assert(topics.mayRespondOn(device, deepest));
    assert(!topics.mayRespondOn(device, `${deepest}/x`));
    assertEquals(deepest.split("/").length, topics.maxLevels);
  }
});
