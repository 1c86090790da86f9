import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { calculateJwkThumbprint } from "jose";
import { ConfigError } from "../config.ts";
import { generateKeys, loadKeys } from "./keys.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(
  "loadKeys() names keys by their thumbprint and shows only public halves",
  strict,
  async () => {
    const material = await generateKeys();
    const jwk = JSON.parse(material.jwtPrivateJwk);
    const keys = await loadKeys({
      ...material,
      jwtPrivateJwk: JSON.stringify({ ...jwk, kid: "mine" }),
    });
    assertEquals(keys.signing.kid, await calculateJwkThumbprint(jwk));
    assertEquals(keys.jwks(), {
      keys: [{
        kty: "OKP",
        crv: "Ed25519",
        x: jwk.x,
        kid: keys.signing.kid,
        use: "sig",
        alg: "EdDSA",
      }],
    });
    assert(keys.verification(keys.signing.kid) !== undefined);
    assertEquals(keys.verification("other"), undefined);
  },
);

Deno.test(
  "loadKeys() keeps previous keys for verification, without private halves",
  strict,
  async () => {
    const old = JSON.parse((await generateKeys()).jwtPrivateJwk);
    const material = await generateKeys();
    const current = JSON.parse(material.jwtPrivateJwk);
    const jwtPreviousJwks = JSON.stringify({ keys: [old, current] });
    const keys = await loadKeys({ ...material, jwtPreviousJwks });
    assertEquals(keys.jwks().keys.map((key) => key.x), [current.x, old.x]);
    assert(!JSON.stringify(keys.jwks()).includes(old.d));
    assert(keys.verification(await calculateJwkThumbprint(old)) !== undefined);
    assertEquals(keys.signing.kid, await calculateJwkThumbprint(current));
  },
);

Deno.test(
  "loadKeys() makes a key file once and reads it again",
  strict,
  () =>
    inFolder(async (folder) => {
      const dataDir = `${folder}/deep/data`;
      const first = await loadKeys({}, dataDir);
      assertEquals((await loadKeys({}, dataDir)).jwks(), first.jwks());
      const names = Array.from(Deno.readDirSync(dataDir), (entry) => entry.name);
      assertEquals(names, ["keys.json"]);
      if (Deno.build.os !== "windows") {
        assertEquals((await Deno.stat(`${dataDir}/keys.json`)).mode! & 0o777, 0o600);
      }
    }),
);

Deno.test(
  "loadKeys() ends with one key file when many start at once",
  strict,
  () =>
    inFolder(async (folder) => {
      const all = await Promise.all(Array.from({ length: 12 }, () => loadKeys({}, folder)));
      assertEquals(new Set(all.map((keys) => keys.signing.kid)).size, 1);
      assertEquals(Array.from(Deno.readDirSync(folder)).length, 1);
    }),
);

Deno.test(
  "loadKeys() takes from the key file only what is not configured",
  strict,
  () =>
    inFolder(async (folder) => {
      const kept = await loadKeys({}, folder);
      const { jwtPrivateJwk } = await generateKeys();
      const mixed = await loadKeys({ jwtPrivateJwk }, folder);
      assertNotEquals(mixed.signing.kid, kept.signing.kid);
    }),
);

Deno.test(
  "loadKeys() refuses a damaged key file without quoting it",
  strict,
  () =>
    inFolder(async (folder) => {
      for (const text of ["", '{"deviceKey":"SECRETVALUE"', '{"deviceKey":"SECRETVALUE"}']) {
        await Deno.writeTextFile(`${folder}/keys.json`, text);
        const error = await assertRejects(() => loadKeys({}, folder), ConfigError, "keys.json");
        assert(!error.message.includes("SECRETVALUE"));
      }
    }),
);

Deno.test(
  "loadKeys() names the variable that is missing or malformed, never its value",
  strict,
  async () => {
    const good = await generateKeys();
    const jwk = JSON.parse(good.jwtPrivateJwk);
    const other = JSON.parse((await generateKeys()).jwtPrivateJwk);
    const cases: [string, Parameters<typeof loadKeys>[0]][] = [
      ["JWT_PRIVATE_JWK is required", { deviceKey: good.deviceKey }],
      ["DEVICE_KEY is required", { jwtPrivateJwk: good.jwtPrivateJwk }],
      ["DEVICE_KEY: ", { ...good, deviceKey: "SECRETVALUE" }],
    ];
    const badJwks = [
      "SECRETVALUE",
      '{"kty":"OKP","crv":"Ed25519","d":"SECRETVALUE"}',
      JSON.stringify({ kty: jwk.kty, crv: jwk.crv, x: jwk.x }),
      JSON.stringify({ ...jwk, crv: "X25519" }),
      JSON.stringify({ ...jwk, x: other.x }),
      JSON.stringify([jwk]),
      "null",
    ];
    for (const jwtPrivateJwk of badJwks) {
      cases.push(["JWT_PRIVATE_JWK: ", { ...good, jwtPrivateJwk }]);
    }
    for (
      const jwtPreviousJwks of ["SECRETVALUE", JSON.stringify(jwk), '{"keys":[{"kty":"RSA"}]}']
    ) {
      cases.push(["JWT_PREVIOUS_JWKS: ", { ...good, jwtPreviousJwks }]);
    }
    for (const [expected, configured] of cases) {
      const error = await assertRejects(() => loadKeys(configured), ConfigError, expected);
      for (const secret of ["SECRETVALUE", jwk.d, jwk.x, good.deviceKey]) {
        assert(!`${error.message} ${error.cause}`.includes(secret));
      }
    }
  },
);

Deno.test(
  "generate_keys.ts prints lines that an env file can hold",
  strict,
  () =>
    inFolder(async (folder) => {
      const script = new URL("./generate_keys.ts", import.meta.url).pathname;
      const run = async (...args: string[]) => {
        const { code, stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
        assertEquals(code, 0);
        return new TextDecoder().decode(stdout);
      };
      const printed = await run("run", script);
      assertMatch(printed, /^JWT_PRIVATE_JWK='\{.*\}'\nDEVICE_KEY=[A-Za-z0-9_-]{43}\n$/);
      await Deno.writeTextFile(`${folder}/.env`, printed);
      const read = await run(
        "eval",
        `--env-file=${folder}/.env`,
        'console.log(JSON.stringify([Deno.env.get("JWT_PRIVATE_JWK"), Deno.env.get("DEVICE_KEY")]))',
      );
      const [jwtPrivateJwk, deviceKey] = JSON.parse(read);
      assertEquals((await loadKeys({ jwtPrivateJwk, deviceKey })).jwks().keys.length, 1);
    }),
);
