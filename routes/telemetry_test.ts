import { assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { readPlaces, storeTelemetry } from "../lib/store/telemetry.ts";
import { type TestApp, testApp, type TestUser } from "../testing/app.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** A room of Ada's with her device and Ben as a member, and Cid who is not. */
async function sceneIn(app: TestApp) {
  const [ada, ben, cid] = await Promise.all(["ada", "ben", "cid"].map(app.register)) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const body = { name: "Room", visibility: "public" };
  const { id: room } = (await app.request("POST", "/v1/rooms", { ...ada, body })).body.room;
  const put = async (principal: string) => {
    await app.request("PUT", `/v1/rooms/${room}/members/${principal}`, { ...ada, body: {} });
  };
  await put(ben.user.id);
  const lamp = { ...ada, body: { name: "Lamp" } };
  const { id: device } = (await app.request("POST", "/v1/devices", lamp)).body.device;
  await put(device);
  return { ada, ben, cid, room, device, base: `/v1/rooms/${room}/devices/${device}` };
}

Deno.test("members read the latest readings and their series", strict, async () => {
  await using app = await testApp();
  const { ada, ben, cid, room, device, base } = await sceneIn(app);
  const at = Math.floor(Date.now() / 10_000) * 10_000 - 30_000;
  const bucket = { at, count: 3, min: 19, max: 22.5, sum: 61.5, last: 20, lastAt: at + 9000 };
  const [place] = await readPlaces(app.services.db, [{ room, device }]);
  await storeTelemetry(app.services.db, {
    writer: newId(),
    number: 1,
    sources: [{
      room,
      device,
      joinedSeq: place!.joinedSeq,
      dropped: 7,
      metrics: [
        { metric: "temp", value: 20, at: at + 9000, count: 3, buckets: [bucket] },
        { metric: "door.state", value: "open", at, count: 1, buckets: [] },
      ],
    }],
  });
  assertEquals((await app.request("GET", `${base}/telemetry`, ben)).body, {
    device,
    metrics: [
      { metric: "door.state", value: "open", at: new Date(at).toISOString(), count: 1 },
      { metric: "temp", value: 20, at: new Date(at + 9000).toISOString(), count: 3 },
    ],
    dropped: 7,
  });
  const { count, min, max, sum, last } = bucket;
  const point = { at: new Date(at).toISOString(), count, min, max, sum, last };
  const series = async (path: string) =>
    (await app.request("GET", `${base}/telemetry/${path}`, ada)).body;
  assertEquals(await series("temp"), {
    device,
    metric: "temp",
    seconds: 20,
    points: [{
      ...point,
      at: new Date(Math.floor(at / 20_000) * 20_000).toISOString(),
    }],
  });
  const stretch = `from=${new Date(at).toISOString()}&to=${new Date(at + 10_000).toISOString()}`;
  assertEquals(await series(`temp?${stretch}&points=500`), {
    device,
    metric: "temp",
    seconds: 10,
    points: [point],
  });
  assertEquals((await series("door.state")).points, []);
  assertEquals((await series("unknown")).points, []);
  const codes = async (path: string, as: TestUser) =>
    (await app.request("GET", path, as)).body.code;
  for (const path of [`${base}/telemetry`, `${base}/telemetry/temp`, `${base}/rules`]) {
    assertEquals(await codes(path, cid), "not_a_member");
    assertEquals(await codes(path.replace(device, ada.user.id), ada), "not_found");
    assertEquals(await codes(path.replace(device, newId()), ada), "not_found");
    assertEquals(await codes(path.replace(room, newId()), ada), "not_found");
  }
  assertEquals(await codes(`${base}/telemetry/a%20b`, ada), "not_found");
  for (
    const query of [
      "points=1",
      "points=501",
      "from=now",
      "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
    ]
  ) {
    assertEquals(await codes(`${base}/telemetry/temp?${query}`, ada), "invalid_request", query);
  }
  // Whatever is asked for, also before and after all times
  for (
    const query of [
      "from=0001-01-01T00:00:00Z",
      "from=9999-01-01T00:00:00Z&to=9999-12-31T00:00:00Z",
    ]
  ) {
    assertEquals((await series(`temp?${query}`)).device, device, query);
  }
});

Deno.test(
  "owners, admins and the device's owner make rules, everybody in the room reads them",
  strict,
  async () => {
    await using app = await testApp();
    const { ada, ben, cid, room, device, base } = await sceneIn(app);
    const rules = [
      { id: "hot", metric: "temp", kind: "above", threshold: 30, hysteresis: 2, unit: "°C" },
      { id: "gone", metric: "temp", kind: "silence", seconds: 60 },
      { id: "move", metric: "x", kind: "change", threshold: 0.5 },
    ];
    const put = (as: TestUser, rules: unknown, at = base) =>
      app.request("PUT", `${at}/rules`, { ...as, body: { rules } });
    const read = async (as: TestUser) => (await app.request("GET", `${base}/rules`, as)).body.rules;
    assertEquals(await read(ben), []);
    assertEquals((await put(ada, rules)).body, { rules });
    assertEquals(await read(ben), rules);
    assertEquals((await put(ben, [])).body.code, "forbidden");
    assertEquals((await put(cid, [])).body.code, "not_a_member");
    assertEquals((await put(ada, [], base.replace(device, newId()))).body.code, "not_found");
    assertEquals((await put(ada, rules.toReversed())).status, 200);
    assertEquals(await read(ada), rules.toReversed());
    // A member whose device it is
    const make = { ...ben, body: { name: "Ben's" } };
    const { id: own } = (await app.request("POST", "/v1/devices", make)).body.device;
    await app.request("PUT", `/v1/rooms/${room}/members/${ben.user.id}`, {
      ...ada,
      body: { role: "admin" },
    });
    await app.request("PUT", `/v1/rooms/${room}/members/${own}`, { ...ben, body: {} });
    await app.request("PUT", `/v1/rooms/${room}/members/${ben.user.id}`, {
      ...ada,
      body: { role: "member" },
    });
    assertEquals((await put(ben, rules, base.replace(device, own))).status, 200);
    const wrong: unknown[] = [
      [{ id: "a b", metric: "t", kind: "above", threshold: 1 }],
      [{ id: "a", metric: "t", kind: "above" }],
      [{ id: "a", metric: "t", kind: "change", threshold: 0 }],
      [{ id: "a", metric: "t", kind: "silence", seconds: 1 }],
      [{ id: "a", metric: "t", kind: "digest", seconds: 60, threshold: 1 }],
      [rules[0], rules[0]],
      Array.from({ length: 21 }, (_, i) => ({ ...rules[0], id: `r${i}` })),
    ];
    for (const list of wrong) {
      assertEquals((await put(ada, list)).body.code, "invalid_request", JSON.stringify(list));
    }
    assertEquals((await put(ada, [])).body, { rules: [] });
  },
);
