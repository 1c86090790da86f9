import { assertEquals } from "@std/assert";
import { DRAFT_URIS, draftsOf, REFUSED, WORDS } from "./data_schema_words.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "the contract for firmware names the words of JSON Schema that are taken",
  strict,
  async () => {
    const text = await Deno.readTextFile(new URL("../mqtt-bridge/README.md", import.meta.url));
    const [, table = ""] = text.split(/^\| words +\| drafts +\|$/m);
    const rows = table.split("\n\n")[0]!.split("\n").slice(2).map((row) => row.split("|"));
    const named = rows.flatMap(([, words = "", drafts = ""]) =>
      [...words.matchAll(/`([^`]+)`/g)].map(([, word]) => `${word} ${drafts.trim()}`)
    );
    const taken = Object.entries(WORDS).map(([name, word]) => `${name} ${draftsOf(word)}`);
    const refused = REFUSED.map((word) => `${word} refused`);
    assertEquals(named.sort(), [...taken, ...refused].sort());
    const uris = DRAFT_URIS.filter((uri) => !text.includes(`\`${uri}\``));
    assertEquals(uris, []);
  },
);
