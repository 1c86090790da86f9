import { chartsOf } from "./charts.ts";
import { headerText, type Report } from "./report.ts";
import { sectionTable } from "./table.ts";

/** The figures that the documents show. */
export const FIGURES = new URL("./figures.json", import.meta.url);
/** The document, between whose markers they stand. */
export const DOCUMENT = new URL("../docs/performance.md", import.meta.url);
/** Where the charts are. */
export const IMAGES = new URL("../docs/images/", import.meta.url);

const BEGIN = "<!-- figures: begin, made by deno task bench --docs -->";
const END = "<!-- figures: end -->";

/** What stands between the markers: header, then each section with its charts. */
export function documentText(report: Report): string {
  const charts = chartsOf(report.sections);
  const sections = report.sections.filter(({ figures }) => figures.length > 0).map((section) => {
    const images = charts.filter(({ section: name }) => name === section.name)
      .map(({ file, title }) => `![${title}](images/${file})`);
    const { measured } = section;
    const run = measured === undefined ? [] : [`\`\`\`text\n${measured}\n\`\`\``];
    return [sectionTable(section), ...run, ...images].join("\n\n");
  });
  return [headerText(report), ...sections].join("\n\n");
}

/** Replaces what stands between the markers. Throws when they are not there. */
export function withFigures(document: string, figures: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("The document lacks the markers of the figures");
  return `${document.slice(0, begin + BEGIN.length)}\n\n${figures}\n\n${document.slice(end)}`;
}

/** Writes the document and the charts from the figures. */
export async function renewDocuments(): Promise<void> {
  const report: Report = JSON.parse(await Deno.readTextFile(FIGURES));
  const document = await Deno.readTextFile(DOCUMENT);
  await Deno.writeTextFile(DOCUMENT, withFigures(document, documentText(report)));
  for (const { file, svg } of chartsOf(report.sections)) {
    await Deno.writeTextFile(new URL(file, IMAGES), svg);
  }
  const args = ["fmt", "--quiet", DOCUMENT.pathname, FIGURES.pathname];
  await new Deno.Command(Deno.execPath(), { args }).output();
}
