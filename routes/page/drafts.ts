const KEY = "confab.draft.";

/** What was typed in a room and not sent, kept for this tab through a reload. */
export const drafts = {
  get(room: string): string {
    try {
      return sessionStorage.getItem(KEY + room) ?? "";
    } catch {
      return "";
    }
  },
  set(room: string, text: string): void {
    try {
      if (text === "") sessionStorage.removeItem(KEY + room);
      else sessionStorage.setItem(KEY + room, text);
    } catch { /* The draft is still in its field. */ }
  },
  /** Forgets all: somebody else may sign in next. */
  clear(): void {
    try {
      for (const key of Object.keys(sessionStorage)) {
        if (key.startsWith(KEY)) sessionStorage.removeItem(key);
      }
    } catch { /* Then nothing was kept. */ }
  },
};
