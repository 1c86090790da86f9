import { assert, assertEquals } from "@std/assert";
import type { Attachment } from "../../lib/client/mod.ts";
import { attachmentTitle, sizeLabel } from "./attachment_list.ts";
import { messageBody, messageLine } from "./message_body.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** What is made of an element, as far as the page's way to make one goes. */
class Made {
  readonly attributes: Record<string, string> = {};
  readonly children: (Made | string)[] = [];

  constructor(readonly tag: string) {}

  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }

  append(child: Made | string): void {
    this.children.push(child);
  }

  /** This and everything below it. */
  get all(): Made[] {
    return [this, ...this.children.flatMap((one) => typeof one === "string" ? [] : one.all)];
  }

  get text(): string {
    return this.children.map((one) => typeof one === "string" ? one : one.text).join(" ");
  }
}

/** The body of a message with these attachments alone, on a page that only records. */
function shown(...attachments: Attachment[]): Made {
  const createElement = (tag: string) => new Made(tag);
  Object.assign(globalThis, { document: { createElement } });
  try {
    const body = messageBody({ attachments }) as unknown as Made[];
    assertEquals(body.length, 1);
    return body[0]!;
  } finally {
    delete (globalThis as { document?: unknown }).document;
  }
}

Deno.test("attachments are links that say where they lead, and load nothing", strict, () => {
  const list = shown(
    { url: "https://files.example/a.jpg", name: "Gate.jpg", type: "image/jpeg", size: 1_234_567 },
    { url: "https://b.example:8443/x?sig=1" },
  );
  const loads = list.all.filter(({ attributes }) => "src" in attributes || "style" in attributes);
  assertEquals(loads, []);
  assertEquals([...new Set(list.all.map(({ tag }) => tag))], ["ul", "li", "a", "span"]);
  const links = list.all.filter(({ tag }) => tag === "a").map(({ attributes }) => attributes);
  const rest = { target: "_blank", rel: "noopener noreferrer nofollow" };
  assertEquals(links, [
    { href: "https://files.example/a.jpg", ...rest },
    { href: "https://b.example:8443/x?sig=1", ...rest },
  ]);
  const [first, second] = list.children as Made[];
  const size = sizeLabel(1_234_567);
  assertEquals(first!.text, `Gate.jpg files.example · image/jpeg · ${size}`);
  assertEquals(second!.text, "b.example:8443");
});

Deno.test("only https becomes a link, whatever the server says", strict, () => {
  const urls = [
    "javascript:alert(1)",
    " JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "blob:https://a.example/1",
    "file:///etc/passwd",
    "http://a.example/",
    "https://me:secret@a.example/",
    "//a.example/",
    "/v1/me",
    "a.jpg",
    "",
    { toString: () => "javascript:alert(1)" } as unknown as string,
  ];
  for (const url of urls) {
    const list = shown({ url, name: "a.jpg" });
    assert(list.all.every(({ attributes }) => !("href" in attributes)), String(url));
    assertEquals(list.text, "a.jpg cannot be opened");
  }
});

Deno.test("a message of attachments alone has a line for lists", strict, () => {
  const url = "https://files.example/a.jpg";
  assertEquals(
    messageLine({ attachments: [{ url, name: "a.jpg" }, { url }] }),
    "a.jpg, files.example",
  );
  assertEquals(messageLine({ text: "x", attachments: [{ url }] }), "x");
  assertEquals(messageLine({ data: { a: 1 } }), '{"a":1}');
  assertEquals(attachmentTitle({ url: "javascript:alert(1)" }), "Attachment");
});

Deno.test("sizes have a unit that fits", strict, () => {
  const sizes = [0, 1, 999, 1000, 1_500_000, Number.MAX_SAFE_INTEGER].map(sizeLabel);
  const numbers = sizes.map((size) => size.replace(/[^\d]+$/, "").replace(",", "."));
  assertEquals(numbers, ["0", "1", "999", "1", "1.5", "9"]);
});
