import type { PublicPrincipal } from "../../lib/client/mod.ts";
import { element } from "./element.ts";

/** Longer than the pause between two signals of somebody who goes on typing. */
const SHOWN_MS = 5000;

/** Says who is typing. */
export class TypingLine {
  readonly element = element("p", {
    class: "typing muted",
    "data-testid": "typing",
    "aria-live": "polite",
  });
  #typing = new Map<string, { name: string; timer: ReturnType<typeof setTimeout> }>();

  /** Somebody types. */
  add({ id, name }: PublicPrincipal): void {
    clearTimeout(this.#typing.get(id)?.timer);
    const timer = setTimeout(() => this.remove(id), SHOWN_MS);
    this.#typing.set(id, { name, timer });
    this.#show();
  }

  /** Somebody has sent a message, or stopped. */
  remove(id: string): void {
    clearTimeout(this.#typing.get(id)?.timer);
    if (this.#typing.delete(id)) this.#show();
  }

  stop(): void {
    for (const { timer } of this.#typing.values()) clearTimeout(timer);
  }

  #show(): void {
    const names = [...this.#typing.values()].map(({ name }) => name);
    const who = names.length > 2 ? "Several people" : names.join(" and ");
    const text = names.length === 0 ? "" : `${who} ${names.length === 1 ? "is" : "are"} typing …`;
    if (this.element.textContent !== text) this.element.textContent = text;
  }
}
