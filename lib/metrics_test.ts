import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Metrics } from "./metrics.ts";

Deno.test("render() writes the Prometheus text format", () => {
  const metrics = new Metrics();
  const requests = metrics.counter("confab_requests_total", "Requests", ["route", "status"]);
  requests.add(["/v1/rooms", 200]);
  requests.add(["/v1/rooms", 200], 2);
  requests.add(['a"b\\c\nd', 404]);
  metrics.counter("confab_plain_total", "No labels");
  metrics.gauge("confab_rooms", "Rooms", () => 7);
  metrics.gauge("confab_broken", "Throws", () => {
    throw new Error("No value");
  });
  assertEquals(
    metrics.render(),
    [
      "# HELP confab_requests_total Requests",
      "# TYPE confab_requests_total counter",
      'confab_requests_total{route="/v1/rooms",status="200"} 3',
      'confab_requests_total{route="a\\"b\\\\c\\nd",status="404"} 1',
      "# HELP confab_plain_total No labels",
      "# TYPE confab_plain_total counter",
      "confab_plain_total 0",
      "# HELP confab_rooms Rooms",
      "# TYPE confab_rooms gauge",
      "confab_rooms 7",
      "# HELP confab_broken Throws",
      "# TYPE confab_broken gauge",
      "",
    ].join("\n"),
  );
});

Deno.test("histogram() counts cumulatively, with bounds included", () => {
  const metrics = new Metrics();
  const seconds = metrics.histogram("confab_seconds", "Time", [0.1, 1], ["route"]);
  for (const value of [0.05, 0.1, 0.5, 3]) seconds.observe(value, ["/a"]);
  assertStringIncludes(
    metrics.render(),
    [
      'confab_seconds_bucket{route="/a",le="0.1"} 2',
      'confab_seconds_bucket{route="/a",le="1"} 3',
      'confab_seconds_bucket{route="/a",le="+Inf"} 4',
      'confab_seconds_sum{route="/a"} 3.65',
      'confab_seconds_count{route="/a"} 4',
    ].join("\n"),
  );
});

Deno.test("counter() does not grow with invented label values", () => {
  const metrics = new Metrics();
  const paths = metrics.counter("confab_paths_total", "Paths", ["path"]);
  for (let i = 0; i < 5000; i++) paths.add([`/${i}`]);
  const lines = metrics.render().split("\n").filter((line) => line.startsWith("confab_paths"));
  assert(lines.length <= 1001);
  assertStringIncludes(lines.at(-1)!, 'confab_paths_total{path="other"} 4000');
});

Deno.test("Metrics refuses a name twice and labels that were not declared", () => {
  const metrics = new Metrics();
  const one = metrics.counter("confab_one_total", "One");
  assertThrows(() => metrics.counter("confab_one_total", "Again"), TypeError);
  assertThrows(() => one.add(["x"]), TypeError);
});
