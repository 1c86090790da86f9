import { SIZES } from "../../lib/protocol.ts";
import type { Message } from "../../lib/client/mod.ts";
import { CompletionList } from "./completion_list.ts";
import { drafts } from "./drafts.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import { notice } from "./notice.ts";
import type { TypedCommands } from "./typed_commands.ts";

/** What a composer does with what is written. */
export interface ComposerActions {
  send(text: string): void;
  edit(message: Message, text: string): void;
  typing(): void;
  /** One's last message that can be edited. */
  lastOwn(): Message | undefined;
  /** Lines that are commands and no messages. */
  commands: Pick<TypedCommands, "accepts" | "send" | "offers">;
}

/** The field one writes in, for new messages and for editing old ones. */
export class Composer {
  readonly element: HTMLFormElement;
  #room: string;
  #actions: ComposerActions;
  #field: HTMLTextAreaElement;
  #editingBar: HTMLElement;
  #editing: Message | undefined;
  #completions = new CompletionList((line) => this.#complete(line));
  #problem = element("p", {
    class: "problem composer-problem",
    role: "alert",
    "data-testid": "composer-problem",
  });

  constructor(room: string, label: string, actions: ComposerActions) {
    this.#room = room;
    this.#actions = actions;
    this.#field = element("textarea", {
      class: "composer-field",
      rows: 1,
      placeholder: label,
      "aria-label": label,
      enterkeyhint: "send",
      "data-testid": "composer",
      oninput: () => this.#typed(),
      onkeydown: (event: KeyboardEvent) => this.#pressed(event),
    });
    this.#field.value = drafts.get(room);
    this.#editingBar = element(
      "div",
      { class: "editing", hidden: true, "data-testid": "editing" },
      icon("edit"),
      element("span", {}, "Editing a message"),
      element("button", {
        type: "button",
        class: "button button-small",
        "data-testid": "cancel-edit",
        onclick: () => this.#stopEditing(),
      }, "Cancel"),
    );
    this.element = element(
      "form",
      {
        class: "composer",
        onsubmit: (event: SubmitEvent) => {
          event.preventDefault();
          this.#submit();
        },
      },
      this.#editingBar,
      this.#problem,
      this.#completions.element,
      element(
        "div",
        { class: "composer-line" },
        this.#field,
        element("button", {
          class: "button button-primary button-round",
          "aria-label": "Send",
          title: "Send",
          "data-testid": "send",
        }, icon("send")),
      ),
    );
  }

  /** Puts the cursor here; call it when the composer is in the page. */
  focus(): void {
    this.#grow();
    this.#field.focus();
  }

  /** Recomputes the height. */
  fit(): void {
    this.#grow();
  }

  /** Takes a message's text to be changed. */
  edit(message: Message): void {
    this.#editing = message;
    this.#editingBar.hidden = false;
    this.#field.value = message.text ?? "";
    this.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }

  /** A reader may not write. */
  allow(writable: boolean): void {
    this.element.classList.toggle("read-only", !writable);
    this.#field.disabled = !writable;
    if (!writable) this.#field.placeholder = "You can read here, but not write.";
  }

  #typed(): void {
    this.#grow();
    this.#problem.textContent = "";
    if (this.#editing !== undefined) return;
    drafts.set(this.#room, this.#field.value);
    this.#offer();
    if (this.#field.value.trim() !== "") this.#actions.typing();
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Tab" && !event.shiftKey && this.#completions.takeFirst()) {
      event.preventDefault();
    } else if (event.key === "Escape" && this.#editing !== undefined) {
      event.preventDefault();
      this.#stopEditing();
    } else if (event.key === "ArrowUp" && this.#field.value === "") {
      const message = this.#actions.lastOwn();
      if (message === undefined) return;
      event.preventDefault();
      this.edit(message);
    }
  }

  #submit(): void {
    const text = this.#field.value.trim();
    if (text === "") return;
    const bytes = new TextEncoder().encode(text).byteLength;
    if (bytes > SIZES.textBytes) {
      return notice(
        `That is ${bytes - SIZES.textBytes} bytes too long for one message.`,
        "problem",
      );
    }
    const editing = this.#editing;
    if (editing === undefined) {
      if (this.#actions.commands.accepts(text)) return void this.#command(text);
      this.#empty();
      this.#actions.send(text);
    } else {
      this.#stopEditing();
      if (text !== editing.text) this.#actions.edit(editing, text);
    }
    this.focus();
  }

  /** Sends a command. A line that is wrong stays, with what is wrong said above it. */
  async #command(text: string): Promise<void> {
    const before = this.#field.value;
    this.#empty();
    const wrong = await this.#actions.commands.send(text);
    if (wrong === undefined) return;
    this.#problem.textContent = wrong;
    if (this.#field.value !== "" || this.#editing !== undefined) return;
    this.#field.value = before;
    drafts.set(this.#room, before);
    this.focus();
  }

  #empty(): void {
    this.#field.value = "";
    this.#problem.textContent = "";
    this.#completions.hide();
    drafts.set(this.#room, "");
    this.focus();
  }

  #offer(): void {
    const text = this.#field.value;
    if (!this.#actions.commands.accepts(text)) return this.#completions.hide();
    void this.#completions.show(() => this.#actions.commands.offers(text));
  }

  #complete(line: string): void {
    this.#field.value = line;
    this.#typed();
    this.focus();
  }

  #stopEditing(): void {
    this.#editing = undefined;
    this.#editingBar.hidden = true;
    this.#field.value = drafts.get(this.#room);
    this.focus();
  }

  #grow(): void {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
