import type { Attachment } from "../../lib/client/mod.ts";
import { element } from "./element.ts";

/** Decimal, as `byte` counts them, each a thousand of the one before. */
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];

/**
 * The files that a message names, as links. None is loaded before somebody follows its link, not
 * even a picture: nobody else shall learn who reads a message, and when.
 */
export function attachmentList(attachments: readonly Attachment[]): HTMLElement {
  return element(
    "ul",
    { class: "attachments", "data-testid": "attachments" },
    ...attachments.map((attachment) => element("li", {}, ...attachmentLine(attachment))),
  );
}

/** One attachment in words: its name, or the host where it lies. */
export function attachmentTitle({ name, url }: Attachment): string {
  return name ?? safeUrl(url)?.host ?? "Attachment";
}

/** Whatever a server says, only https becomes a link; a name does not hide where it leads. */
function attachmentLine(attachment: Attachment): (HTMLElement | false)[] {
  const url = safeUrl(attachment.url);
  const title = attachmentTitle(attachment);
  const facts = [
    url === undefined ? "cannot be opened" : attachment.name !== undefined && url.host,
    attachment.type,
    attachment.size !== undefined && sizeLabel(attachment.size),
  ].filter(Boolean).join(" · ");
  return [
    url === undefined ? element("span", {}, title) : element("a", {
      href: url.href,
      target: "_blank",
      rel: "noopener noreferrer nofollow",
    }, title),
    facts !== "" && element("span", { class: "muted" }, facts),
  ];
}

function safeUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === "https:" && url.username + url.password === "" ? url : undefined;
}

/** "1.2 MB" */
export function sizeLabel(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[power]!,
    unitDisplay: "short",
    maximumFractionDigits: 1,
  }).format(bytes / 1000 ** power);
}
