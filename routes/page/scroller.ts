import { element } from "./element.ts";
import { icon } from "./icon.ts";

/** This near to the end counts as being there. */
const NEAR_PX = 80;
const EARLIER_PX = 300;

/** Scrolls a conversation: stays at its end, or stays where one reads. */
export class Scroller {
  readonly log: HTMLElement;
  readonly jump: HTMLButtonElement;
  /** Called when the end comes into view. */
  atEnd = () => {};
  /** Called when one scrolls to the beginning. */
  nearStart = () => {};
  #count = 0;
  #stuck = true;

  constructor(...content: HTMLElement[]) {
    this.log = element(
      "div",
      { class: "log", role: "log", "aria-label": "Messages", tabindex: 0 },
      ...content,
    );
    this.jump = element("button", {
      type: "button",
      class: "jump",
      hidden: true,
      "data-testid": "jump",
      onclick: () => this.toEnd(true),
    });
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(this.log);
  }

  /** True when one looks at the newest messages. */
  get stuck(): boolean {
    return this.#stuck;
  }

  /** Runs `change` so that what one reads stays in place, or the end stays in view. */
  keep(change: () => void): void {
    const { log } = this;
    const fromEnd = log.scrollHeight - log.scrollTop;
    change();
    log.scrollTop = this.#stuck ? log.scrollHeight : log.scrollHeight - fromEnd;
  }

  /** Like keep(), for what is added at the end: the distance to the start stays. */
  keepStart(change: () => void): void {
    const { scrollTop } = this.log;
    change();
    this.log.scrollTop = this.#stuck ? this.log.scrollHeight : scrollTop;
  }

  /** `count` messages came that are not in view. */
  missed(count: number): void {
    this.#count += count;
    this.#showJump();
  }

  toEnd(smooth = false): void {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.log.scrollTo({
      top: this.log.scrollHeight,
      behavior: smooth && !calm ? "smooth" : "instant",
    });
  }

  /** Shows `mark` at the top, when what follows it does not fit. */
  toMark(mark: HTMLElement): void {
    if (this.log.scrollHeight - mark.offsetTop < this.log.clientHeight) return this.toEnd();
    this.log.scrollTop = mark.offsetTop - 16;
    this.#scrolled();
  }

  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    this.#stuck = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.#stuck) {
      this.#count = 0;
      this.atEnd();
    }
    if (scrollTop < EARLIER_PX) this.nearStart();
    this.#showJump();
  }

  #resized(): void {
    if (this.#stuck) this.toEnd();
  }

  #showJump(): void {
    this.jump.hidden = this.#stuck;
    const what = this.#count === 0
      ? "To the newest"
      : this.#count === 1
      ? "1 new message"
      : `${this.#count} new messages`;
    this.jump.replaceChildren(icon("down"), what);
  }
}
