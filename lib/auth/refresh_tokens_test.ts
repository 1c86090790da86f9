import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { newId } from "../ids.ts";
import { generateKeys, loadKeys } from "./keys.ts";
import { hashRefreshToken, newRefreshToken, readRefreshToken } from "./refresh_tokens.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

async function newKey(): Promise<CryptoKey> {
  return (await loadKeys(await generateKeys())).refreshKey;
}

Deno.test(
  "newRefreshToken() makes another token each time, which only its own key calls authentic",
  strict,
  async () => {
    const [key, other, session] = [await newKey(), await newKey(), newId()];
    const token = await newRefreshToken(key, session);
    assertMatch(token, new RegExp(`^${session}\\.[A-Za-z0-9_-]{43}$`));
    assertNotEquals(await newRefreshToken(key, session), token);
    const read = (await readRefreshToken(key, token))!;
    assertEquals([read.session, read.authentic], [session, true]);
    assertEquals(read.hash, await hashRefreshToken(token));
    assertMatch(read.hash, /^[0-9a-f]{64}$/);
    assertEquals((await readRefreshToken(other, token))!.authentic, false);
  },
);

Deno.test(
  "readRefreshToken() gives one successor per token and key, which is a token itself",
  strict,
  async () => {
    const key = await newKey();
    const token = await newRefreshToken(key, newId());
    const { next, session } = (await readRefreshToken(key, token))!;
    assertEquals((await readRefreshToken(key, token))!.next, next);
    assertNotEquals((await readRefreshToken(await newKey(), token))!.next, next);
    const second = (await readRefreshToken(key, next))!;
    assertEquals([second.session, second.authentic], [session, true]);
    assertNotEquals(second.next, next);
  },
);

Deno.test(
  "readRefreshToken() does not take a changed token for ours and refuses other forms",
  strict,
  async () => {
    const key = await newKey();
    const token = await newRefreshToken(key, newId());
    const [session, secret] = token.split(".") as [string, string];
    const swapped = `${newId()}.${secret}`;
    const noise = `${session}.${"A".repeat(43)}`;
    for (const forged of [swapped, noise]) {
      assertEquals((await readRefreshToken(key, forged))!.authentic, false);
    }
    const malformed = [
      "",
      ".",
      session,
      `${token}.x`,
      `${token}A`,
      token.toUpperCase(),
      "\0",
      "💥",
    ];
    malformed.push(` ${token}`, `${session}.${secret.slice(1)}`, "x".repeat(100_000));
    for (const each of malformed) {
      assertEquals(await readRefreshToken(key, each), undefined, JSON.stringify(each.slice(0, 99)));
    }
    assert((await readRefreshToken(key, token))!.authentic);
  },
);
