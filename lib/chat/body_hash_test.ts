import { assertEquals, assertNotEquals } from "@std/assert";
import { bodyHash } from "./body_hash.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const url = "https://files.example/a.jpg";

Deno.test(
  "bodies have the hashes that databases hold, so that repeats stay repeats",
  strict,
  () => {
    const data = { celsius: 21.5, at: ["a", null] };
    const rich = { text: "21.5 °C", data, metadata: { b: 1, a: true }, replyTo: 17 };
    assertEquals(
      [{ text: "hello" }, rich, { text: "x", target: 3, remove: false }].map(bodyHash),
      [
        "3f7b91fb-825a-6b03-3db0-c085b3fd6f60",
        "19e4d555-1303-eb82-0cf8-4f5a0c66b0df",
        "c9ca67f3-e07b-b5b9-e8e7-d546927ab313",
      ],
    );
    assertEquals(bodyHash({ text: "hello", attachments: [] }), bodyHash({ text: "hello" }));
    const withFile = { text: "hello", attachments: [{ url, name: "a.jpg", size: 1 }] };
    assertEquals(bodyHash(withFile), "819abe99-749c-d92c-1f0b-e54c02e9aab0");
  },
);

Deno.test(
  "the hash goes by every field of every attachment, not by their keys' order",
  strict,
  () => {
    const hash = (...attachments: Parameters<typeof bodyHash>[0]["attachments"] & object) =>
      bodyHash({ text: "hello", attachments });
    const first = { url, name: "a.jpg", type: "image/jpeg", size: 1, sha256: "0".repeat(64) };
    const reordered = Object.fromEntries(Object.entries(first).toReversed()) as typeof first;
    assertEquals(hash(first), hash(reordered));
    const second = { url: `${url}?2` };
    const all = [
      bodyHash({ text: "hello" }),
      hash(first),
      hash({ ...first, url: second.url }),
      hash({ ...first, name: "b.jpg" }),
      hash({ ...first, type: "a.jpg" }),
      hash({ ...first, size: 2 }),
      hash({ ...first, sha256: "1".repeat(64) }),
      hash(first, second),
      hash(second, first),
      hash(second),
    ];
    assertEquals(new Set(all).size, all.length);
    assertNotEquals(hash({ url, name: "x" }), hash({ url, type: "x" }));
  },
);
