import { assert, assertEquals } from "@std/assert";
import decode from "qr/decode.js";
import type { DeviceAnswer } from "../../lib/client/mod.ts";
import { accessText } from "./device_commands.ts";
import { type QrCode, qrCode } from "./qr_code.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const SCALE = 4;
const MARGIN = 4;

/** What a reader, written by others, finds in a picture of the code. */
function read(code: QrCode, spoil = (_x: number, _y: number) => false): string {
  const side = (code.size + 2 * MARGIN) * SCALE;
  const data = new Uint8Array(side * side * 4).fill(255);
  for (let py = 0; py < side; py++) {
    for (let px = 0; px < side; px++) {
      const [x, y] = [Math.floor(px / SCALE) - MARGIN, Math.floor(py / SCALE) - MARGIN];
      const inside = x >= 0 && y >= 0 && x < code.size && y < code.size;
      const dark = inside && code.at(x, y) !== spoil(x, y);
      if (dark) data.fill(0, (py * side + px) * 4, (py * side + px) * 4 + 3);
    }
  }
  return decode({ width: side, height: side, data });
}

Deno.test("qrCode() is read as what was written, at every size", strict, () => {
  const sizes = new Set<number>();
  for (let length = 1; length <= 660; length += length < 40 ? 4 : 31) {
    const text = "Pumpe 1 läuft: {mqtt://10.0.0.7:1883} ".repeat(20).slice(0, length);
    const code = qrCode(text);
    if (code === undefined) break;
    sizes.add(code.size);
    assertEquals(read(code), text);
  }
  assert(sizes.size >= 15, `${sizes.size} sizes`);
});

Deno.test("qrCode() is read although some of it is dirty", strict, () => {
  const text = "mqtt://10.0.0.7:1883 and a password of some length";
  const code = qrCode(text)!;
  const dirt = (x: number, y: number) => x >= 12 && x < 16 && y >= 12 && y < 16;
  assertEquals(read(code, dirt), text);
});

Deno.test("qrCode() of more than it holds is none", strict, () => {
  assertEquals(qrCode("x".repeat(667)), undefined);
  assert(qrCode("x".repeat(666)) !== undefined);
});

Deno.test(
  "accessText() holds what a device needs to connect, and fits into a QR code",
  strict,
  () => {
    const id = crypto.randomUUID();
    const topics = { send: `plant/eu/d/${id}/rooms/{room}/send` };
    const mqtt = {
      host: "::1",
      port: 8883,
      tls: true,
      clientId: id,
      clientIdSuffix: true,
      username: `${id}.2`,
      password: "p".repeat(43),
      topics,
    };
    const text = accessText({ mqtt } as unknown as DeviceAnswer);
    assertEquals(JSON.parse(text), {
      url: "mqtts://[::1]:8883",
      clientId: id,
      username: `${id}.2`,
      password: "p".repeat(43),
      prefix: "plant/eu/",
    });
    assertEquals(read(qrCode(text)!), text);
  },
);
