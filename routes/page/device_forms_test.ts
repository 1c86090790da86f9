import { assertEquals, assertThrows } from "@std/assert";
import { ConfabClientError } from "../../lib/client/mod.ts";
import { readDefinition } from "./definition_dialog.ts";
import { replaced } from "./device_rules_view.ts";
import { controlFor } from "./form_fields.ts";
import { readRule } from "./rule_dialog.ts";
import { readSchema } from "./schema_dialog.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function filled(values: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) data.set(name, value);
  return data;
}

Deno.test("a rule has the numbers of its kind, and a name also when none is given", strict, () => {
  const all = { metric: " temp ", threshold: "30", hysteresis: "", seconds: "60", unit: "°C" };
  const rules = [
    readRule(filled({ ...all, kind: "above", id: "hot" })),
    readRule(filled({ ...all, kind: "silence", unit: "", id: "" })),
    readRule(filled({ metric: "a.b/" + "x".repeat(40), kind: "change", threshold: "3,5" })),
  ];
  assertEquals(rules, [
    { id: "hot", metric: "temp", kind: "above", threshold: 30, unit: "°C" },
    { id: "temp-silence", metric: "temp", kind: "silence", seconds: 60 },
    {
      id: `${"x".repeat(25)}-change`,
      metric: "a.b/" + "x".repeat(40),
      kind: "change",
      // What is no number is left for the server to refuse
      threshold: "3,5",
    } as never,
  ]);
});

Deno.test("a changed rule keeps its place, one that is gone meanwhile comes last", strict, () => {
  const [a, b, c] = ["a", "b", "c"].map((id) => ({ id, metric: "m", kind: "silence" as const }));
  assertEquals(replaced([a!, b!], "a", c!), [c!, b!]);
  assertEquals(replaced([a!, b!], "x", c!), [a!, b!, c!]);
  assertEquals(replaced([a!, b!], undefined, c!), [a!, b!, c!]);
});

Deno.test("a definition has what was filled in and no more", strict, () => {
  const plain = { description: "", args: "", minRole: "member", timeoutSeconds: "" };
  assertEquals(readDefinition(filled({ ...plain, name: " stop " })), { name: "stop" });
  const args = "speed: 1 to 5: whole\n\n ramp \n";
  const full = { name: "start", description: "Run", args, minRole: "admin", timeoutSeconds: "90" };
  assertEquals(readDefinition(filled({ ...full, dangerous: "on" })), {
    name: "start",
    description: "Run",
    args: { speed: "1 to 5: whole", ramp: "" },
    minRole: "admin",
    timeoutSeconds: 90,
    dangerous: true,
  });
});

Deno.test(
  "a schema is an object or nothing, and what is wrong with it has its code",
  strict,
  () => {
    assertEquals(readSchema(' {"type": "object"} '), { type: "object" });
    assertEquals(readSchema(" \n"), null);
    for (const text of ["[]", "{"]) {
      const { code, errors } = assertThrows(() => readSchema(text), ConfabClientError);
      assertEquals([code, errors[0]?.path], ["invalid_request", "schema"]);
    }
  },
);

Deno.test("an error belongs to the innermost part of its path that has a control", strict, () => {
  const exists = (name: string) => ["threshold", "args", "id"].includes(name);
  const found = ["rules.0.threshold", "commands.1.args.speed 1", "rules", "name"].map((path) =>
    controlFor(path, exists, { rules: "id" })
  );
  assertEquals(found, ["threshold", "args", "id", undefined]);
});
