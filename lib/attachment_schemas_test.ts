import { assert, assertEquals } from "@std/assert";
import { attachmentsSchema } from "./attachment_schemas.ts";
import { SIZES } from "./protocol.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
const url = "https://files.example/a.jpg";

/** Where the first thing that is wrong with this lies, such as `0.url`; undefined: nothing is. */
function wrongPath(attachments: unknown): string | undefined {
  return attachmentsSchema.safeParse(attachments).error?.issues[0]?.path.join(".");
}

const LINKS = [
  "https://a.example",
  "https://a.example/",
  "https://192.168.0.7:8443/snap.jpg",
  "https://[2001:db8::1]/x",
  "https://xn--bcher-kva.example/%C3%BC?a=b&c=(d)#e",
  "https://a.example/@me:x?mail=me@example.org",
  `https://a.example/${"x".repeat(SIZES.urlChars - 18)}`,
];

const NO_LINKS = [
  "",
  "javascript:alert(1)",
  "JavaScript:alert(1)//https://a.example",
  "data:text/html,<script>alert(1)</script>",
  "file:///etc/passwd",
  "http://a.example/a.jpg",
  "http://localhost/a.jpg",
  "ftp://a.example/a.jpg",
  "blob:https://a.example/1",
  "//a.example/a.jpg",
  "/v1/me",
  "a.jpg",
  "https:a.example",
  "https:/a.example",
  "https:///a.example",
  "https:\\\\a.example",
  "https://a.example\\@b.example/",
  "https://",
  "https://:443/",
  "https://a.example:65536/",
  "https://[::1/",
  "https://me@a.example/",
  "https://me:secret@a.example/",
  "https://@a.example/",
  " https://a.example/",
  "https://a.example/ b",
  "https://a.example/\n",
  "https://a.ex\tample/",
  "https://a.example/\u0000",
  "https://a.example/\ud800",
  "https://a.example/\u202egpj.exe",
  "https://bücher.example/",
  'https://a.example/"onclick="x',
  "https://a.example/<b>",
  "https://%00/",
  `https://a.example/${"x".repeat(SIZES.urlChars - 17)}`,
  1,
  null,
];

Deno.test("an attachment's URL is absolute, https, and has no credentials", strict, () => {
  for (const link of LINKS) assertEquals(wrongPath([{ url: link }]), undefined, link);
  for (const link of NO_LINKS) assertEquals(wrongPath([{ url: link }]), "0.url", String(link));
});

Deno.test("what is said of an attachment has its exact forms", strict, () => {
  const right = {
    name: ["a", "Küche 2.jpg", "...", "👩‍🌾.png", "x".repeat(80)],
    type: ["image/jpeg", "application/vnd.api+json", "Text/PLAIN"],
    size: [0, 1, Number.MAX_SAFE_INTEGER],
    sha256: ["0123456789abcdef".repeat(4)],
  };
  const wrong = {
    name: [
      ...["", ".", "..", "a/b", "../a", "a\\b", "a\u0000", "a\nb", "a\u0085", "a\u2028", "\ud800"],
      ...["cv\u202egpj.exe", "\u2066a", "x".repeat(81), 1, null],
    ],
    type: ["", "image", "image/", "/jpeg", "image/jpeg;q=1", "image/jp eg", "a/b\u0000", "ä/b", 1],
    size: [-1, 0.5, 2 ** 53, "1", null, NaN],
    sha256: ["", "a".repeat(63), "a".repeat(65), "A".repeat(64), "g".repeat(64), 1],
  };
  for (const [field, values] of Object.entries(right)) {
    for (const value of values) {
      assertEquals(wrongPath([{ url, [field]: value }]), undefined, `${field} ${value}`);
    }
  }
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      assertEquals(wrongPath([{ url, [field]: value }]), `0.${field}`, `${field} ${value}`);
    }
  }
  assertEquals(wrongPath([{}]), "0.url");
  assertEquals(wrongPath([{ url }, { url, id: "1" }]), "1", "there are no other fields");
  assertEquals(wrongPath({ url }), "");
});

Deno.test("a message has ten attachments at most, of a bounded size together", strict, () => {
  assertEquals(wrongPath([]), undefined);
  assertEquals(wrongPath(Array(SIZES.attachments).fill({ url })), undefined);
  assertEquals(wrongPath(Array(SIZES.attachments + 1).fill({ url })), "");
  const long = { url: `https://a.example/${"x".repeat(1900)}` };
  assertEquals(wrongPath(Array(4).fill(long)), undefined);
  assertEquals(wrongPath(Array(5).fill(long)), "");
  const { textBytes, dataBytes, metadataBytes, attachmentsBytes, frameBytes } = SIZES;
  const content = textBytes + dataBytes + metadataBytes + attachmentsBytes;
  assert(frameBytes - content >= 1024, "everything at its largest fits into a frame");
});
