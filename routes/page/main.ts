/**
 * The web client. What a browser test can rely on, as `data-testid` unless said otherwise:
 *
 * - sign in: `sign-in` (the form), fields by label "Username", "Password", "Display name";
 *   tabs "Log in", "Sign up", "Guest"; `sign-in-submit`; `sign-in-problem`
 * - frame: `me` (own name), `log-out`, `connection` (banner; `data-state` on `<html>` is the
 *   connection's state), `retry-now`, `notices` (id)
 * - rooms: `room-list`, `room` (with `data-room`, `data-unread`), `room-filter`, `new-room`,
 *   `browse-rooms`, `message-someone`; dialogs by role "dialog"
 * - dialogs: `room-name`, `room-topic`, `create-room`; `browse-query`, `join-room`;
 *   `people-query`, `person` (with `data-principal`); `device-name`, `create-device`,
 *   `device-publish` and `device-subscribe` (the commands), `copy`, `close-dialog`,
 *   `confirm`; `show-qr`, `device-qr`, `device-access` (its text); `claim-device`, `claim-code`,
 *   `claim-name`, `claim-submit`, `claim-problem`
 * - conversation: role "log"; `message` (with `data-seq`, `data-kind` user, guest or device,
 *   `data-own`, `data-state` stored, deleted, pending or failed), `message-text`,
 *   `message-data`, `edited`, `edit-message`, `delete-message`, `retry-message`,
 *   `discard-message`; `load-earlier`, `jump`, `unread-marker`, `typing`
 *   `command` (with `data-status`), `command-name`, `command-args`, `command-status`,
 *   `command-answer`, `cancel-command`; `entry-line` (with `data-type`)
 * - composer: `composer` (textarea), `send`, `editing`, `cancel-edit`, `composer-problem`,
 *   `completion`
 * - members: `toggle-members`, `members` (panel), `member` (with `data-principal`,
 *   `data-kind`), `invite`, `add-device`, `leave-room`, `presence` (with `data-state`)
 * - device: `open-device`, `device-panel` (with `data-device`), `presence-words`, `close-device`;
 *   `device-state`, `edit-desired`, `desired-json`, `save-desired`, `state-conflict`,
 *   `state-problem`; `metric` (with `data-metric`), `metric-value`, `sparkline` (with
 *   `data-points`), `dropped`; `device-command` (with `data-name`), `send-command`, `any-command`
 *
 * Keys: Enter sends, Shift+Enter breaks the line, Up in an empty composer edits one's last
 * message, Tab completes a command, Escape ends editing or closes a panel, Ctrl+K (⌘K) finds a room, Alt+Up and Alt+Down
 * go to the next room.
 */
import type { User } from "../../lib/client/mod.ts";
import { chatView } from "./chat_view.ts";
import { drafts } from "./drafts.ts";
import { fill } from "./element.ts";
import { browserSession } from "./session.ts";
import { signInView } from "./sign_in.ts";

const app = document.getElementById("app")!;
const tokens = browserSession();
let stop = () => {};

function showSignIn(): void {
  stop();
  stop = () => {};
  drafts.clear();
  document.title = "Confab";
  delete document.documentElement.dataset.state;
  const view = signInView(tokens, showChat);
  fill(app, view);
  view.querySelector("input")?.focus();
}

function showChat(me: User): void {
  stop();
  const view = chatView(tokens, me);
  stop = view.stop;
  fill(app, view.element);
}

tokens.on("session", (session) => {
  if (session === undefined) showSignIn();
});
if (tokens.session === undefined) showSignIn();
else showChat(tokens.session.user);
