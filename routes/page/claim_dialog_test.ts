import { assertEquals } from "@std/assert";
import { claimedIn } from "./claim_dialog.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("an address with a claim gives its code, others none", strict, () => {
  const hashes = ["#claim=WDJB-MJHT", "#claim", "#claim=<b>", "#/rooms/1", ""];
  assertEquals(hashes.map(claimedIn), ["WDJB-MJHT", "", undefined, undefined, undefined]);
});
