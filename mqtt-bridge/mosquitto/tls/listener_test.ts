import { assertEquals } from "@std/assert";
import { mosquittoConfWithTls } from "./listener.ts";

Deno.test("the committed configuration with TLS is what mosquittoConfWithTls() makes", async () => {
  const committed = await Deno.readTextFile(new URL("mosquitto.conf", import.meta.url));
  assertEquals(committed, mosquittoConfWithTls());
});
