/** `deno task env > .env.example`: every variable with its meaning and default. */
import { environment } from "./config.ts";

const WIDTH = 98;

/** The text of `.env.example`, made from the schema that reads the environment. */
export function envExample(): string {
  const blocks = Object.entries(environment.shape).map(([name, schema]) => {
    const meaning = `${schema.description ?? ""}.${defaultOf(schema.safeParse(undefined))}`;
    return [...wrap(meaning), `#${name}=`].join("\n");
  });
  return [
    "# Configuration of Confab. Everything is optional for `deno task dev`; an empty value counts",
    "# as absent. Made by `deno task env > .env.example`; a test compares it with the code.",
    "",
    blocks.join("\n\n"),
    "",
  ].join("\n");
}

function defaultOf(parsed: { success: boolean; data?: unknown }): string {
  const { success, data } = parsed;
  if (!success || data === undefined) return "";
  const text = typeof data === "boolean" ? String(Number(data)) : String(data);
  return text === "" ? "" : ` Default: ${text}`;
}

/** Comment lines of at most WIDTH characters. */
function wrap(text: string): string[] {
  const lines = ["#"];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length > WIDTH) lines.push(`# ${word}`);
    else lines[lines.length - 1] = line;
  }
  return lines;
}

if (import.meta.main) await new Blob([envExample()]).stream().pipeTo(Deno.stdout.writable);
