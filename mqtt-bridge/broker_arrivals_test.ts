import { assert, assertEquals } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { createLog } from "../lib/log.ts";
import { freePort } from "../testing/mosquitto.ts";
import { TestDevice } from "../testing/mqtt_device.ts";
import { until } from "../testing/until.ts";
import { startBroker } from "./broker.ts";
import { Arrivals, type ArrivingSocket } from "./broker_arrivals.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Connections that say nothing, by whether the broker has ended them. */
async function silentConnections(port: number, count: number) {
  const all: { conn: Deno.TcpConn; ended: boolean }[] = [];
  const reading: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const one = { conn: await Deno.connect({ hostname: "127.0.0.1", port }), ended: false };
    all.push(one);
    reading.push(
      one.conn.read(new Uint8Array(1)).then(() => {}, () => {}).finally(() => {
        one.ended = true;
      }),
    );
  }
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const { conn } of all) conn.close();
      await Promise.all(reading);
    },
  };
}

async function withBroker(
  limits: { connectMs?: number },
  run: (port: number, lines: Record<string, unknown>[]) => Promise<void>,
) {
  const lines: Record<string, unknown>[] = [];
  const broker = await startBroker({
    ...limits,
    host: "127.0.0.1",
    port: freePort(),
    prefix: "confab/",
    log: createLog("warn", (line) => lines.push(JSON.parse(line))),
    arrivals: { perAddress: 5, total: 20 },
    maxConnections: 3,
    authenticate: () => Promise.resolve(true),
  });
  try {
    await run(broker.port, lines);
  } finally {
    await broker.stop();
  }
}

Deno.test(
  "a flood of connections that never sign in keeps no device out",
  strict,
  () =>
    withBroker({}, async (port, lines) => {
      await using flood = await silentConnections(port, 30);
      const ended = () => flood.all.filter(({ ended }) => ended).length;
      await until("all but the newest are ended", () => ended() === 25);
      assertEquals(flood.all.findIndex(({ ended }) => !ended), 25);
      const url = `mqtt://127.0.0.1:${port}`;
      const devices = new AsyncDisposableStack();
      for (let i = 0; i < 3; i++) {
        devices.use(await TestDevice.connect({ url, username: newId(), password: "x" }));
      }
      await until("the oldest one went for them", () => ended() === 26);
      assertEquals(ended(), 26, "who has signed in counts no more");
      await devices.disposeAsync();
      assertEquals(lines.map(({ code, ended, perAddress }) => [code, ended, perAddress]), [
        ["rate_limited", 1, 5],
      ]);
    }),
);

Deno.test(
  "a connection that does not sign in ends by itself",
  strict,
  () =>
    withBroker({ connectMs: 50 }, async (port) => {
      await using slow = await silentConnections(port, 2);
      await slow.all[0]!.conn.write(new Uint8Array([0x10, 0x40, 0x00]));
      await until("both are ended", () => slow.all.every(({ ended }) => ended));
    }),
);

Deno.test("connections without a CONNECT are bounded by address and in all", strict, () => {
  const arrivals = new Arrivals({ perAddress: 2, total: 3 }, createLog("silent"));
  const ended: string[] = [];
  const come = (name: string, remoteAddress: string): ArrivingSocket => {
    const destroy = () => ended.push(name);
    const socket = { remoteAddress, destroy, once: () => {} } as unknown as ArrivingSocket;
    arrivals.come(socket);
    return socket;
  };
  come("a1", "198.51.100.1");
  come("b1", "2001:db8:1:2::1");
  come("b2", "2001:db8:1:2::2");
  assertEquals(ended, []);
  const b3 = come("b3", "2001:db8:1:2::3");
  assertEquals(ended, ["b1"], "one network is one address");
  come("c1", "198.51.100.3");
  assertEquals(ended, ["b1", "a1"], "the oldest of all");
  arrivals.leave(b3);
  come("d1", "198.51.100.4");
  assert(arrivals.size === 3);
  assertEquals(ended.length, 2);
});
