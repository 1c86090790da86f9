import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Config, environment, readConfig, type Role, ROLES } from "../lib/config.ts";
import { generateKeys } from "../lib/auth/keys.ts";
import { ROOT } from "./module_graph.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const compose = await read("docker-compose.yml");

/** Variables of docker-compose.yml that configure the other services, not Confab. */
const OTHERS = [
  "HTTPS_PORT",
  "HTTP_PORT",
  "MQTT_LISTEN_PORT",
  "POSTGRES_PASSWORD",
  "REDIS_PASSWORD",
  "SITE_ADDRESS",
];

/** `${NAME:?…}` (required) and `${NAME:-…}` (with a default), wherever they stand. */
const uses = [...compose.matchAll(/\$\{([A-Z0-9_]+)(:[?-])?([^}]*)\}/g)].map(
  ([, name, operator, rest]) => ({ name: name!, operator: operator ?? "", rest: rest! }),
);

/** The lines `NAME: value` of the environment that all roles share. */
function sharedEnvironment(): Record<string, string> {
  const [, block = ""] = /environment: &environment\n((?: {4}.*\n)+)/.exec(compose) ?? [];
  const pairs = [...block.matchAll(/^ {4}([A-Z0-9_]+): (.*)$/gm)];
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value!.replace(/^"|"$/g, "")]));
}

/** What a role would be configured with, given the values of `.env`. */
function configOf(role: Role, values: Record<string, string>): Config {
  const filled = Object.entries(sharedEnvironment()).map(([name, value]) => [
    name,
    value.replace(/\$\{([A-Z0-9_]+)(?::([?-])([^}]*))?\}/g, (_, used, operator, rest) => {
      const given = values[used] ?? "";
      assert(given !== "" || operator === "-", `${used} is required`);
      return given !== "" ? given : rest;
    }),
  ]);
  return readConfig({ ...Object.fromEntries(filled), HOST: "0.0.0.0", PORT: "8000", ROLES: role });
}

Deno.test(
  "docker-compose.yml uses variables that exist, and says where to set them",
  strict,
  async () => {
    const known = [...Object.keys(environment.shape), ...OTHERS];
    assertEquals(uses.map(({ name }) => name).filter((name) => !known.includes(name)), []);
    const guide = await read("docs/self-hosting.md");
    for (const { name, operator, rest } of uses) {
      assert(operator !== "", `${name} has neither a default nor a message`);
      if (operator === ":?") assertEquals(rest, `set ${name} in .env`);
      assert(guide.includes(name), `${name} is not in docs/self-hosting.md`);
    }
    assertEquals(OTHERS.filter((name) => !uses.some((use) => use.name === name)), []);
  },
);

Deno.test("docker-compose.yml gives the roles only variables that they read", strict, () => {
  const names = Object.keys(sharedEnvironment());
  assert(names.length > 10, "the environment was found");
  assertEquals(names.filter((name) => !(name in environment.shape)), []);
});

Deno.test("docker-compose.yml has no secret and no default for one", strict, () => {
  const secret = /PASSWORD|SECRET|KEY|TOKEN|JWK$/;
  for (const { name, operator } of uses) {
    if (secret.test(name)) assertEquals(operator, ":?", name);
  }
  for (const [, name, value] of compose.matchAll(/^ +([A-Z0-9_]+): (.+)$/gm)) {
    if (secret.test(name!) || /_USER$/.test(name!) && !/^(POSTGRES|MQTT)/.test(name!)) {
      assertMatch(value!, /^\$\{/, name!);
    }
  }
});

Deno.test("the roles start with what docker-compose.yml gives them", strict, async () => {
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const values = {
    PUBLIC_URL: "https://chat.example.org",
    MQTT_PUBLIC_URL: "mqtts://mqtt.example.org",
    POSTGRES_PASSWORD: "a1",
    REDIS_PASSWORD: "b2",
    MQTT_PASSWORD: "c3",
    S3_ACCESS_KEY_ID: "d4",
    S3_SECRET_ACCESS_KEY: "e5",
    JWT_PRIVATE_JWK: jwtPrivateJwk,
    DEVICE_KEY: deviceKey,
  };
  for (const role of ROLES) {
    const config = configOf(role, values);
    assertEquals([config.roles, config.production], [[role], true]);
    assertEquals([config.database.driver, config.redis.driver], ["postgres", "tcp"]);
    assertEquals(config.mqtt.broker?.publicUrl, "mqtts://mqtt.example.org");
    // What the proxy says of the client's address is believed, what clients say is not
    assertEquals(config.trustProxy, true);
  }
});

Deno.test("image, gate and documents name the same version of Deno", strict, async () => {
  const [, version] = /DENO_VERSION=([\d.]+)/.exec(await read(".ci/run")) ?? [];
  assert(version !== undefined);
  for (const path of ["Dockerfile", "README.md", "CONTRIBUTING.md"]) {
    for (
      const [, other] of (await read(path)).matchAll(/deno@?[ _=]*(?:VERSION=)?(\d+\.\d+\.\d+)/gi)
    ) {
      assertEquals(other, version, path);
    }
  }
});
