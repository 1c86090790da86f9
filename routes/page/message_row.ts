import type { Message, OutboxItem } from "../../lib/client/mod.ts";
import { avatar } from "./avatar.ts";
import { commandBlock } from "./command_block.ts";
import type { CommandPlace } from "./command_block.ts";
import { clockLabel, momentLabel } from "./day_label.ts";
import { element } from "./element.ts";
import { icon } from "./icon.ts";
import { iconButton } from "./icon_button.ts";
import { messageBody, messageLine } from "./message_body.ts";
import { problemText } from "./problem_text.ts";
import { ConfabClientError } from "../../lib/client/mod.ts";

/** What can be done with a message from its row. */
export interface MessageActions {
  edit(message: Message): void;
  remove(message: Message): void;
  retry(clientId: string): void;
  discard(clientId: string): void;
  openDevice(device: string): void;
  /** Takes a command back. */
  cancel(message: Message): void;
}

/** How a row stands among its neighbours. */
export interface RowPlace {
  own: boolean;
  /** The message before it is by the same sender, a short time ago. */
  grouped: boolean;
  /** The message replied to, when it is held. */
  replied: Message | undefined;
  /** Of a message with a command: the name of its device, the answer when it is held. */
  command: Pick<CommandPlace, "device" | "answer"> & { mayCancel: boolean } | undefined;
}

/** A stored message. */
export function messageRow(
  message: Message,
  place: RowPlace,
  actions: MessageActions,
): HTMLElement {
  const deleted = message.deletedAt !== undefined;
  const at = new Date(message.at);
  const { sender } = message;
  const { command } = message;
  const body = deleted
    ? [element("p", { class: "text gone" }, "Message deleted")]
    : command !== undefined && place.command !== undefined
    ? [commandBlock(command, {
      ...place.command,
      open: actions.openDevice,
      ...(place.command.mayCancel ? { cancel: () => actions.cancel(message) } : {}),
    })]
    : messageBody(message);
  return row({
    ...place,
    kind: sender.kind,
    state: deleted ? "deleted" : "stored",
    seq: message.seq,
    avatar: avatar(sender),
    heading: heading(message, at, place.own),
    bubble: [
      place.replied !== undefined && quote(place.replied),
      ...body,
      message.editedAt !== undefined && !deleted && edited(message.editedAt),
    ],
    actions: place.own && !deleted
      ? [
        message.text !== undefined && command === undefined &&
        iconButton("edit", "Edit message", "edit-message", () => actions.edit(message)),
        iconButton("remove", "Delete message", "delete-message", () => actions.remove(message)),
      ]
      : [],
    title: momentLabel(at),
  });
}

/** A message of one's own that is not in the room yet. */
export function outboxRow(
  item: OutboxItem,
  grouped: boolean,
  actions: MessageActions,
): HTMLElement {
  const { clientId, error } = item;
  const failed = item.state === "failed";
  const button = (label: string, testid: string, run: (clientId: string) => void) =>
    element("button", {
      type: "button",
      class: "button button-small",
      "data-testid": testid,
      onclick: () => run(clientId),
    }, label);
  const why = error === undefined
    ? ""
    : problemText(new ConfabClientError(error.code, error.message));
  const status = failed
    ? element(
      "p",
      { class: "send-state failed" },
      icon("warning"),
      element("span", {}, `Not sent. ${why}`),
      button("Retry", "retry-message", actions.retry),
      button("Discard", "discard-message", actions.discard),
    )
    : item.state === "pending" &&
      element("p", { class: "send-state" }, icon("clock"), element("span", {}, "Sending …"));
  return row({
    own: true,
    grouped,
    kind: "user",
    state: failed ? "failed" : "pending",
    seq: undefined,
    avatar: undefined,
    heading: undefined,
    bubble: messageBody(item.body),
    below: status,
    actions: [],
    title: "",
  });
}

interface RowParts {
  own: boolean;
  grouped: boolean;
  kind: string;
  state: string;
  seq: number | undefined;
  avatar: HTMLElement | undefined;
  heading: HTMLElement | undefined;
  bubble: (HTMLElement | false)[];
  below?: HTMLElement | false;
  actions: (HTMLElement | false)[];
  title: string;
}

function row(parts: RowParts): HTMLElement {
  const { own, grouped, kind, state } = parts;
  const classes = ["message", own && "own", grouped && "grouped", state !== "stored" && state];
  return element(
    "article",
    {
      class: classes.filter(Boolean).join(" "),
      "data-testid": "message",
      "data-seq": parts.seq,
      "data-kind": kind,
      "data-own": String(own),
      "data-state": state,
    },
    !own && (grouped ? element("span", { class: "avatar-space" }) : parts.avatar),
    element(
      "div",
      { class: "message-column" },
      !grouped && parts.heading,
      element(
        "div",
        { class: "bubble-line" },
        element("div", { class: "bubble", title: parts.title }, ...parts.bubble),
        parts.actions.length > 0 &&
          element("div", { class: "message-actions" }, ...parts.actions),
      ),
      parts.below,
    ),
  );
}

function heading({ sender }: Message, at: Date, own: boolean): HTMLElement {
  return element(
    "header",
    { class: "message-heading" },
    element("strong", { class: own ? "visually-hidden" : "" }, own ? "You" : sender.name),
    sender.kind !== "user" && !own &&
      element("span", { class: "tag" }, sender.kind === "device" ? "Device" : "Guest"),
    element("time", { datetime: at.toISOString() }, clockLabel(at)),
  );
}

function quote(replied: Message): HTMLElement {
  const text = replied.deletedAt !== undefined ? "Message deleted" : messageLine(replied);
  return element(
    "blockquote",
    { class: "quote" },
    element("strong", {}, replied.sender.name),
    element("span", { class: "clip" }, text),
  );
}

function edited(at: string): HTMLElement {
  const title = `Edited ${momentLabel(new Date(at))}`;
  return element("span", { class: "edited", title, "data-testid": "edited" }, "edited");
}
