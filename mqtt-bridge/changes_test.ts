import { assertEquals } from "@std/assert";
import { Changes } from "./changes.ts";

const ids = (count: number, name = "d") => Array.from({ length: count }, (_, i) => `${name}${i}`);

Deno.test("Changes hands out single changes before the rest, each once", () => {
  const changes = new Changes();
  changes.later(ids(30));
  changes.urgent(["d29", "x"]);
  changes.later(["x"]);
  assertEquals(changes.size, 31);
  assertEquals(changes.take(), ["d29", "x"]);
  assertEquals(changes.take(), ids(10));
  changes.urgent(["y"]);
  assertEquals(changes.take(), ["y"]);
  changes.clear();
  assertEquals(changes.take(), []);
});

Deno.test("batches grow while they are quick, and shrink at once when they are not", () => {
  const changes = new Changes();
  const sizeAfter = (count: number, ms: number) => {
    changes.took(count, ms);
    changes.clear();
    changes.later(ids(1000));
    return changes.take().length;
  };
  assertEquals(sizeAfter(10, 1), 20);
  assertEquals(sizeAfter(20, 40), 40, "twice as many at most");
  assertEquals(sizeAfter(1, 30), 40, "a small batch that is quick says nothing");
  assertEquals(sizeAfter(40, 400), 10);
  assertEquals(sizeAfter(2, 1000), 1);
  for (let i = 0; i < 20; i++) sizeAfter(2 ** i, 1);
  assertEquals(sizeAfter(1000, 1), 200);
});
