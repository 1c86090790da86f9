import type { PublicPrincipal } from "../../lib/protocol.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";

const HUES = 8;

/** Initials on a colour of their own for people, a chip for devices. */
export function avatar(principal: Pick<PublicPrincipal, "id" | "kind" | "name">): HTMLElement {
  if (principal.kind === "device") {
    return element(
      "span",
      { class: "avatar avatar-device", "aria-hidden": "true" },
      icon("device"),
    );
  }
  const hue = `avatar hue-${hueOf(principal.id)}`;
  return element("span", { class: hue, "aria-hidden": "true" }, initials(principal.name));
}

/** An avatar with a dot at its corner. */
export function withDot(avatar: HTMLElement, dot: HTMLElement): HTMLElement {
  return element("span", { class: "avatar-frame" }, avatar, dot);
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => word !== "");
  const letters = words.length > 1 ? [words[0]!, words.at(-1)!] : words;
  return letters.map((word) => [...word][0]!.toUpperCase()).join("") || "?";
}

function hueOf(id: string): number {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.codePointAt(0)!) % 9973;
  return sum % HUES;
}
