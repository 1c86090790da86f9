import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { newId } from "../ids.ts";
import {
  checkDeviceLogin,
  checkDeviceSecret,
  deviceOfUsername,
  deviceSecret,
  type DeviceSecrets,
  deviceUsername,
} from "./devices.ts";
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

Deno.test("deviceUsername() is the plain id for one generation", strict, () => {
  const id = newId();
  assertEquals(deviceUsername(id, { generation: 1, plainGeneration: 1 }), id);
  assertEquals(deviceUsername(id, { generation: 2, plainGeneration: 1 }), `${id}.2`);
  assertEquals(deviceUsername(id, { generation: 7, plainGeneration: 7 }), id);
  for (const username of [id, `${id}.1`, `${id}.2`, `${id}.4294967295`]) {
    assertEquals(deviceOfUsername(username), id, username);
  }
  const others = ["", "bridge", id.toUpperCase(), `${id}.`, `${id}.0`, `${id}.02`, `${id}.2.3`];
  for (
    const username of [...others, `${id}.x`, `${id}-2`, `${id} `, `${id}.12345678901`, `.${id}`]
  ) {
    assertEquals(deviceOfUsername(username), undefined, username);
  }
});

Deno.test(
  "checkDeviceLogin() accepts each good secret under its own username",
  strict,
  async () => {
    const { deviceKey } = await loadKeys(await generateKeys());
    const id = newId();
    const check = async (secrets: DeviceSecrets, username: string, generation: number) =>
      await checkDeviceLogin(deviceKey, id, secrets, {
        username,
        password: await deviceSecret(deviceKey, id, generation),
      });
    const both = { generation: 2, plainGeneration: 1, former: { generation: 1 } };
    assert(await check(both, id, 1));
    assert(await check(both, `${id}.2`, 2));
    assert(!await check(both, id, 2));
    assert(!await check(both, `${id}.2`, 1));
    assert(!await check(both, `${id}.1`, 1));
    const after = { generation: 2, plainGeneration: 1 };
    assert(!await check(after, id, 1));
    assert(await check(after, `${id}.2`, 2));
    const older = { generation: 4, plainGeneration: 4 };
    assert(await check(older, id, 4));
    assert(!await check(older, `${id}.4`, 4));
  },
);
