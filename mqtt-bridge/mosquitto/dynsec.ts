import { pbkdf2Sync, randomBytes } from "node:crypto";
import type { BrokerClient } from "../broker_clients.ts";

const ITERATIONS = 101;

/** PBKDF2 as the plugin of Mosquitto 2.0 does it: SHA-512, 101 iterations, 64 bytes. */
function hashed(password: string): { password: string; salt: string; iterations: number } {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, ITERATIONS, 64, "sha512");
  return {
    password: hash.toString("base64"),
    salt: salt.toString("base64"),
    iterations: ITERATIONS,
  };
}

/**
 * The first `dynamic-security.json`: the bridge's user, who may administer clients, and defaults
 * that deny what the ACL file does not allow. Same form as `mosquitto_ctrl dynsec init` of
 * Mosquitto 2.0 writes, except that its default for `publishClientReceive` is to allow: with it, a
 * device that subscribes to `#` reads everything. `devices` may be there from the start: the bridge
 * would make them one by one.
 */
export function dynsecFile(
  { username, password }: { username: string; password: string },
  devices: readonly BrokerClient[] = [],
): string {
  const allow = (acltype: string, topic: string) => ({ acltype, topic, allow: true });
  const control = "$CONTROL/dynamic-security/#";
  return JSON.stringify(
    {
      clients: [{
        username,
        textName: "The Confab bridge",
        ...hashed(password),
        roles: [{ rolename: "admin" }],
      }, ...devices.map((device) => ({ ...device, ...hashed(device.password), roles: [] }))],
      roles: [{
        rolename: "admin",
        acls: [
          allow("publishClientSend", control),
          allow("publishClientReceive", control),
          allow("subscribePattern", control),
        ],
      }],
      defaultACLAccess: {
        publishClientSend: false,
        publishClientReceive: false,
        subscribe: false,
        unsubscribe: true,
      },
    },
    null,
    2,
  );
}

if (import.meta.main) {
  const [username = "confab-bridge"] = Deno.args;
  const password = (await new Response(Deno.stdin.readable).text()).trim();
  if (password === "") throw new TypeError("Give the password on standard input");
  await Deno.stdout.write(new TextEncoder().encode(dynsecFile({ username, password })));
}
