import { assert, assertEquals, assertMatch } from "@std/assert";
import { chartsOf } from "./charts.ts";
import { DOCUMENT, documentText, FIGURES, IMAGES, withFigures } from "./documents.ts";
import { figure } from "./figures.ts";
import { renewed, type Report } from "./report.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** Without what the formatter changes: the width of columns. */
function plain(text: string): string {
  return text.replace(/ +/g, " ").replace(/-{3,}/g, "---");
}

const report: Report = JSON.parse(await Deno.readTextFile(FIGURES));

Deno.test("docs/performance.md shows the figures that were measured", strict, async () => {
  const document = await Deno.readTextFile(DOCUMENT);
  assertEquals(plain(document), plain(withFigures(document, documentText(report))));
});

Deno.test("the charts show the figures that were measured", strict, async () => {
  const charts = chartsOf(report.sections);
  assert(charts.length > 0);
  for (const { file, svg } of charts) {
    assertEquals(await Deno.readTextFile(new URL(file, IMAGES)), svg, file);
  }
});

Deno.test(
  "a chart has a bar for each system, the spread, the goal, and both colour schemes",
  strict,
  () => {
    const what = "100 sockets, closed loop: deliveries";
    const [chart] = chartsOf([{
      name: "fan-out",
      title: "Fan-out",
      figures: [
        figure(what, "/s", [900, 1000, 1100], { goal: { atLeast: 500 } }),
        figure(what, "/s", [200], { who: "ws" }),
        figure(what, "/s", [], { who: "Mosquitto", note: "a <reason>" }),
      ],
    }]);
    const { svg } = chart!;
    // A square in the legend for each of three, and two bars: the third has a note instead.
    assertEquals(svg.match(/<rect class="s\d"/g)?.length, 5);
    assertEquals(svg.match(/<line class="spread"/g)?.length, 1);
    assertEquals(svg.match(/<line class="goal"/g)?.length, 2);
    assertMatch(svg, />1,000 \/s<\/text>/);
    assertMatch(svg, /a &lt;reason>/);
    assertMatch(svg, /prefers-color-scheme:dark/);
  },
);

Deno.test("a run of some sections renews these, and says that it was another run", strict, () => {
  const section = (name: string, median: number) => ({
    ...{ name, title: name },
    figures: [figure("deliveries", "/s", [median])],
  });
  const of = (...sections: Report["sections"]): Report => ({ ...report, sections });
  const before = of(section("a", 1), section("c", 1));
  const now = { ...of(section("c", 2), section("b", 2)), command: "deno task bench --only c,b" };
  const both = renewed(before, now, ["a", "b", "c"]);
  const medians = both.sections.map(({ name, figures }) => `${name}${figures[0]!.median}`);
  assertEquals([both.command, medians], [report.command, ["a1", "b2", "c2"]]);
  assertEquals(both.sections.map(({ measured }) => measured !== undefined), [false, true, true]);
  assertMatch(documentText(both), /Measured by deno task bench --only c,b \(/);
  const all = of(section("a", 3), section("c", 3));
  assertEquals(renewed(before, all, ["a", "c"]), all);
});

Deno.test("withFigures() replaces what stands between the markers alone", strict, async () => {
  const document = await Deno.readTextFile(DOCUMENT);
  const [before] = document.split("<!-- figures: begin");
  const changed = withFigures(document, "nothing");
  assert(changed.startsWith(before!));
  assertMatch(changed, /--docs -->\n\nnothing\n\n<!-- figures: end -->/);
});
