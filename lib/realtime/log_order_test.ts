import { assertEquals } from "@std/assert";
import { range } from "../../testing/subscriber.ts";
import { entry } from "../bus/contract.ts";
import type { LogEntry } from "../protocol.ts";
import { LogOrder, type Range } from "./log_order.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

const entries = (from: number, to: number): LogEntry[] =>
  range(from, to).map((seq) => entry("room", seq));
const seqs = (found: LogEntry[]): number[] => found.map(({ seq }) => seq);

function started(head: number, options = {}): LogOrder {
  const order = new LogOrder(options);
  order.start(head);
  return order;
}

Deno.test("LogOrder accepts nothing and wishes nothing before its start", strict, () => {
  const order = new LogOrder();
  order.entries(entries(4, 6));
  order.reach(9);
  assertEquals([order.waiting, order.wish()], [0, undefined]);
  order.start(4);
  assertEquals([seqs(order.take()), order.wish()], [[5, 6], { from: 7, to: 9 }]);
});

Deno.test("LogOrder wishes page after page, one at a time", strict, () => {
  const order = started(0, { pageEntries: 2 });
  order.reach(3);
  assertEquals([order.wish(), order.wish()], [{ from: 1, to: 2 }, undefined]);
  order.read({ from: 1, to: 2 }, entries(1, 2));
  assertEquals([order.wish(), order.wish()], [{ from: 3, to: 3 }, undefined]);
  order.failed();
  assertEquals(order.wish(), { from: 3, to: 3 });
});

Deno.test("LogOrder says once that entries are gone", strict, () => {
  const order = started(2);
  order.reach(5);
  order.read(order.wish() as Range, entries(4, 5));
  assertEquals([order.wish(), seqs(order.take())], ["lost", []]);
});

Deno.test(
  "LogOrder reads again after a notice that came while a read found nothing",
  strict,
  () => {
    const order = started(2);
    order.reach(9);
    const first = order.wish() as Range;
    order.reach(3);
    order.read(first, []);
    assertEquals(order.wish(), { from: 3, to: 3 });
    order.read({ from: 3, to: 3 }, []);
    assertEquals(order.wish(), undefined, "the store is believed when nothing else is heard");
  },
);

Deno.test("LogOrder keeps what comes too early within bounds, and nothing it has", strict, () => {
  const order = started(0, { maxPending: 2 });
  order.entries(entries(3, 4));
  order.entries(entries(1, 4));
  order.entries([entry("room", 8), entry("room", 7), entry("room", 9)]);
  order.entries(entries(5, 6));
  assertEquals([seqs(order.take()), order.wish()], [range(1, 8), { from: 9, to: 9 }]);
});

Deno.test("LogOrder mixes no entries of two histories", strict, () => {
  const order = started(5);
  order.entries([entry("room", 6)]);
  order.reach(8);
  const other = entries(7, 8).map((each) => ({ ...each, epoch: "another" }));
  order.read(order.wish() as Range, other);
  assertEquals([seqs(order.take()), order.wish()], [[6], "lost"]);
  order.entries([...other, ...entries(7, 8)]);
  assertEquals([seqs(order.take()), order.wish()], [[], "lost"]);
});
