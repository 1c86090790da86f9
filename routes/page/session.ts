import { SessionTokens } from "../../lib/client/mod.ts";
import type { Session } from "../../lib/client/mod.ts";

const KEY = "confab.session";

/** The session of this browser, shared by its tabs. */
export function browserSession(): SessionTokens {
  const tokens = new SessionTokens({
    url: location.origin,
    store: { load, save },
    ...("locks" in navigator
      ? {
        exclusive: <T>(work: () => Promise<T>) => navigator.locks.request(KEY, work) as Promise<T>,
      }
      : {}),
  });
  addEventListener("storage", ({ key }) => {
    if (key === KEY && load()?.user.id !== tokens.session?.user.id) location.reload();
  });
  return tokens;
}

/** Used where storage is refused: then the session lasts as long as the page. */
let inMemory: Session | undefined;

function load(): Session | undefined {
  if (inMemory !== undefined) return inMemory;
  try {
    const text = localStorage.getItem(KEY);
    return text === null ? undefined : JSON.parse(text) as Session;
  } catch {
    return undefined;
  }
}

function save(session: Session | undefined): void {
  try {
    if (session === undefined) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(session));
    inMemory = undefined;
  } catch {
    inMemory = session;
  }
}
