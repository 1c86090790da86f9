import { DOWN, KEPT, UP } from "../topics.ts";

/** Whom the file is made for. */
export interface AclOptions {
  /** Of all topics, such as `confab/`. */
  prefix: string;
  /** The bridge's username. */
  bridgeUser: string;
}

/**
 * The ACL file of Mosquitto: `%c` is the client id, which is the device's id. (The username is not
 * always: two secrets of one device have two usernames.) So every account must be bound to its
 * client id, as the clients that the bridge makes are. The file is read before the dynamic security
 * plugin, which decides what the file does not allow; its defaults must therefore all be `deny` (see
 * `dynsec.ts`).
 */
export function aclFile({ prefix, bridgeUser }: AclOptions): string {
  const lines = (verb: string, device: string, patterns: readonly string[]) =>
    patterns.map((pattern) => `${verb} ${prefix}d/${device}/${pattern}`);
  const isKept = (pattern: string) => KEPT.some((one) => one === pattern);
  return [
    "# Made by `deno run mqtt-bridge/mosquitto/acl.ts`; a test compares it with the code.",
    "",
    `user ${bridgeUser}`,
    ...lines("topic read", "+", UP.filter((pattern) => !isKept(pattern))),
    "# Of these it empties what devices have left.",
    ...lines("topic readwrite", "+", KEPT),
    ...lines("topic write", "+", DOWN),
    "topic readwrite $CONTROL/dynamic-security/#",
    "",
    "# Every device, under its own id only.",
    ...lines("pattern write", "%c", UP),
    ...lines("pattern read", "%c", DOWN),
    "",
  ].join("\n");
}

/** The committed file is for these. */
export const DEFAULTS: AclOptions = { prefix: "confab/", bridgeUser: "confab-bridge" };

if (import.meta.main) {
  const [prefix = DEFAULTS.prefix, bridgeUser = DEFAULTS.bridgeUser] = Deno.args;
  await Deno.stdout.write(new TextEncoder().encode(aclFile({ prefix, bridgeUser })));
}
