import { assertEquals } from "@std/assert";
import { clientAddress } from "./address.ts";

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
