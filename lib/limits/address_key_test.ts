import { assertEquals } from "@std/assert";
import { addressKey } from "./address_key.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("addressKey() counts an IPv6 network of 64 bits as one", strict, () => {
  assertEquals(addressKey("198.51.100.7"), "198.51.100.7");
  assertEquals(addressKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assertEquals(addressKey("2001:db8:1:2::9"), "2001:db8:1:2::/64");
  assertEquals(addressKey("2001:0db8:0001:2::9"), "2001:db8:1:2::/64");
  assertEquals(addressKey("2001:db8::9"), "2001:db8:0:0::/64");
  assertEquals(addressKey("::1"), "0:0:0:0::/64");
  assertEquals(addressKey("fe80::1%eth0"), "fe80:0:0:0::/64");
  assertEquals(addressKey("::ffff:198.51.100.7"), "::ffff:198.51.100.7");
  assertEquals(addressKey("unknown"), "unknown");
});
