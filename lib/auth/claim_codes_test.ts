import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { hashClaimCode, newDeviceCode, newUserCode, readUserCode } from "./claim_codes.ts";
import { generateKeys, loadKeys } from "./keys.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test("newUserCode() is short, readable and uses every letter alike", strict, () => {
  const counts = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const code = newUserCode();
    assertMatch(code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    for (const letter of code.replace("-", "")) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  assertEquals(counts.size, 20);
  // 800 of each are expected, with a standard deviation of 28.
  for (const [letter, count] of counts) assert(count > 600 && count < 1000, `${letter}: ${count}`);
});

Deno.test("readUserCode() takes what people type, and nothing else", strict, () => {
  for (const typed of ["WDJB-MJHT", "wdjb-mjht", " wdjbmjht ", "WD JB.MJ_HT", "w-d-j-b-m-j-h-t"]) {
    assertEquals(readUserCode(typed), "WDJB-MJHT", typed);
  }
  for (const typed of ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "WDJB+MJHT", "ẞ"]) {
    assertEquals(readUserCode(typed), undefined, typed);
  }
});

Deno.test("hashClaimCode() depends on the code and the key", strict, async () => {
  const [one, other] = [await loadKeys(await generateKeys()), await loadKeys(await generateKeys())];
  const hash = await hashClaimCode(one.refreshKey, "WDJB-MJHT");
  assertMatch(hash, /^[0-9a-f]{64}$/);
  assertEquals(await hashClaimCode(one.refreshKey, "WDJB-MJHT"), hash);
  assertNotEquals(await hashClaimCode(one.refreshKey, "WDJB-MJHZ"), hash);
  assertNotEquals(await hashClaimCode(other.refreshKey, "WDJB-MJHT"), hash);
  assertMatch(newDeviceCode(), /^[A-Za-z0-9_-]{43}$/);
  assertNotEquals(newDeviceCode(), newDeviceCode());
});
