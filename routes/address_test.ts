import { assertEquals } from "@std/assert";
import { addressKey, clientAddress } from "./address.ts";

const connection: Deno.Addr = { transport: "tcp", hostname: "198.51.100.7", port: 1 };

Deno.test("clientAddress() believes a header only behind a trusted proxy", () => {
  const headers = new Headers({ "x-forwarded-for": "1.1.1.1, 203.0.113.9" });
  assertEquals(clientAddress(headers, connection, false), "198.51.100.7");
  assertEquals(clientAddress(headers, connection, true), "203.0.113.9");
  assertEquals(clientAddress(new Headers(), connection, true), "198.51.100.7");
  assertEquals(clientAddress(new Headers(), undefined, false), "unknown");
  for (const bad of ["x", "1.1.1.1, ", "a".repeat(5000), "::g", "1.2.3.4:80", "[::1]"]) {
    assertEquals(
      clientAddress(new Headers({ "x-forwarded-for": bad }), connection, true),
      "unknown",
    );
  }
  const v6 = new Headers({ "x-forwarded-for": "2001:DB8::1" });
  assertEquals(clientAddress(v6, connection, true), "2001:db8::1");
});

Deno.test("addressKey() counts an IPv6 network of 64 bits as one", () => {
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
