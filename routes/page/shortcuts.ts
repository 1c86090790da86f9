import type { Chat } from "./chat.ts";

/** Keys that work everywhere on the page, until `signal` ends them. */
export function shortcuts(chat: Chat, shown: () => string | undefined, signal: AbortSignal): void {
  const pressed = (event: KeyboardEvent) => {
    if (document.querySelector("dialog[open]") !== null) return;
    const { key } = event;
    if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.querySelector<HTMLElement>("[data-testid=room-filter]")?.focus();
    } else if (event.altKey && (key === "ArrowDown" || key === "ArrowUp")) {
      event.preventDefault();
      step(chat, shown(), key === "ArrowDown" ? 1 : -1);
    }
  };
  addEventListener("keydown", pressed, { signal });
}

function step(chat: Chat, shown: string | undefined, by: number): void {
  const ids = chat.directory.rooms.map(({ room }) => room.id);
  if (ids.length === 0) return;
  const at = shown === undefined ? -1 : ids.indexOf(shown);
  chat.open(ids[(at + by + ids.length) % ids.length]);
}
