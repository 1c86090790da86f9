import { assertEquals } from "@std/assert";
import { readValue } from "./command_forms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

Deno.test(
  "arguments are numbers and truths where they look like it, text otherwise",
  strict,
  () => {
    const read = ["3", "-0.5", "1e3", "true", "null", "007", "3 bar", "Infinity", ""].map(
      readValue,
    );
    assertEquals(read, [3, -0.5, 1000, true, null, "007", "3 bar", "Infinity", ""]);
  },
);
