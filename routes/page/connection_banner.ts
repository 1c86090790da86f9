import type { ConfabClient, ConnectionState } from "../../lib/client/mod.ts";
import { element, fill } from "./element.ts";
import { icon } from "./icon.ts";

/** A link that is back within this time is not worth a word. */
const QUIET_MS = 1500;

/** Tells when the connection is not there, when the next attempt is, and offers to make it now. */
export function connectionBanner(client: ConfabClient): HTMLElement {
  const text = element("span");
  const retry = element("button", {
    type: "button",
    class: "button button-small",
    "data-testid": "retry-now",
    onclick: () => client.state.name === "closed" ? client.connect() : client.retryNow(),
  }, "Try now");
  const banner = element("div", {
    class: "connection",
    role: "status",
    "data-testid": "connection",
    hidden: true,
  });
  fill(banner, icon("warning"), text, retry);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let awaySince: number | undefined;
  const show = () => {
    clearTimeout(timer);
    const { state } = client;
    document.documentElement.dataset.state = state.name;
    if (state.name === "connected") awaySince = undefined;
    else awaySince ??= Date.now();
    const quiet = awaySince === undefined || Date.now() - awaySince < QUIET_MS;
    banner.hidden = quiet && state.name !== "closed";
    say(text, words(state));
    retry.hidden = state.name !== "waiting" && state.name !== "closed";
    if (state.name === "waiting" || state.name === "connecting") timer = setTimeout(show, 500);
  };
  client.on("state", show);
  return banner;
}

/** A status that says the same again would be read aloud again. */
function say(element: HTMLElement, words: string): void {
  if (element.textContent !== words) element.textContent = words;
}

function words(state: ConnectionState): string {
  if (state.name === "connecting") return "Connecting …";
  if (state.name === "closed") return "You are disconnected.";
  if (state.name !== "waiting") return "";
  const seconds = Math.ceil((state.retryAt - Date.now()) / 1000);
  const when = seconds <= 1 ? "any moment" : `in ${seconds} s`;
  const why = navigator.onLine ? "Connection lost." : "You are offline.";
  return `${why} What you write is kept. Next attempt ${when}.`;
}
