import { assert } from "@std/assert";
import { newId } from "../lib/ids.ts";
import { RetainedTopics } from "./broker_retained.ts";
import { Topics } from "./topics.ts";

const topics = new Topics("confab/");
const device = newId();

Deno.test("a device's status and state are kept, what it sends is not", () => {
  const retained = new RetainedTopics();
  assert(retained.keeps(device, topics.status(device), false));
  assert(retained.keeps(device, topics.reported(device, newId()), false));
  for (const topic of [topics.send(device, newId()), topics.telemetry(device, newId())]) {
    assert(!retained.keeps(device, topic, false), topic);
  }
});

Deno.test("one device keeps a bounded number of topics, and gets space by clearing one", () => {
  const retained = new RetainedTopics(2);
  const [first, second, third] = [1, 2, 3].map(() => topics.reported(device, newId()));
  assert(retained.keeps(device, first!, false));
  assert(retained.keeps(device, second!, false));
  assert(!retained.keeps(device, third!, false));
  assert(retained.keeps(device, first!, false), "what is there is replaced");
  assert(retained.keeps(newId(), third!, false), "another device has its own bound");
  assert(retained.keeps(device, first!, true), "it may be cleared");
  assert(retained.keeps(device, third!, false));
});
