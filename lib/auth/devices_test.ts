import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { newId } from "../ids.ts";
import { checkDeviceSecret, deviceSecret } from "./devices.ts";
import { generateKeys, loadKeys } from "./keys.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "deviceSecret() gives the same secret again and another one per key, device and generation",
  strict,
  async () => {
    const material = await generateKeys();
    const { deviceKey } = await loadKeys(material);
    const again = (await loadKeys(material)).deviceKey;
    const foreign = (await loadKeys(await generateKeys())).deviceKey;
    const id = newId();
    const secret = await deviceSecret(deviceKey, id, 1);
    assertMatch(secret, /^[A-Za-z0-9_-]{43}$/);
    assertEquals(await deviceSecret(again, id, 1), secret);
    assertNotEquals(await deviceSecret(deviceKey, id, 2), secret);
    assertNotEquals(await deviceSecret(deviceKey, newId(), 1), secret);
    assertNotEquals(await deviceSecret(foreign, id, 1), secret);
  },
);

Deno.test("checkDeviceSecret() accepts the secret and nothing else", strict, async () => {
  const { deviceKey } = await loadKeys(await generateKeys());
  const id = newId();
  const secret = await deviceSecret(deviceKey, id, 3);
  assert(await checkDeviceSecret(deviceKey, id, 3, secret));
  const wrong = [
    await deviceSecret(deviceKey, id, 2),
    "",
    secret.slice(1),
    `${secret}A`,
    `${secret}=`,
    "\0".repeat(43),
    "é".repeat(43),
    "🔑",
  ];
  for (const each of wrong) assertEquals(await checkDeviceSecret(deviceKey, id, 3, each), false);
});
