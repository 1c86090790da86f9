import { assertEquals } from "@std/assert";
import { aclFile, DEFAULTS } from "./acl.ts";
import { IN_CONTAINER, mosquittoConf } from "./conf.ts";

const read = (name: string) => Deno.readTextFile(new URL(name, import.meta.url));

Deno.test("the committed acl file is what aclFile() makes", async () => {
  assertEquals(await read("acl"), aclFile(DEFAULTS));
});

Deno.test("the committed mosquitto.conf is what mosquittoConf() makes", async () => {
  assertEquals(await read("mosquitto.conf"), mosquittoConf(IN_CONTAINER));
});

Deno.test("aclFile() uses the prefix and the bridge's user everywhere", () => {
  const file = aclFile({ prefix: "site/a/", bridgeUser: "me" });
  assertEquals(file.includes("confab/"), false);
  assertEquals(file.match(/^user /gm)?.length, 1);
  assertEquals(file.includes("user me\n"), true);
  assertEquals(file.includes("pattern write site/a/d/%c/rooms/+/send\n"), true);
});
