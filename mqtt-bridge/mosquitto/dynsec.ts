import { pbkdf2Sync, randomBytes } from "node:crypto";

const ITERATIONS = 101;

/**
 * The first `dynamic-security.json`: the bridge's user, who may administer clients, and defaults
 * that deny what the ACL file does not allow. Same form as `mosquitto_ctrl dynsec init` of
 * Mosquitto 2.0 writes (PBKDF2 with SHA-512, 101 iterations, 64 bytes), except that its default
 * for `publishClientReceive` is to allow: with it, a device that subscribes to `#` reads everything.
 */
export function dynsecFile({ username, password }: { username: string; password: string }): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, ITERATIONS, 64, "sha512");
  const allow = (acltype: string, topic: string) => ({ acltype, topic, allow: true });
  const control = "$CONTROL/dynamic-security/#";
  return JSON.stringify(
    {
      clients: [{
        username,
        textName: "The Confab bridge",
        password: hash.toString("base64"),
        salt: salt.toString("base64"),
        iterations: ITERATIONS,
        roles: [{ rolename: "admin" }],
      }],
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
