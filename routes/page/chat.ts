import { ConfabClient } from "../../lib/client/mod.ts";
import type { SessionTokens, User } from "../../lib/client/mod.ts";
import { Directory } from "./directory.ts";
import { browserOutboxStore } from "./outbox_store.ts";

/** What the views of a signed-in person share. */
export interface Chat {
  client: ConfabClient;
  tokens: SessionTokens;
  directory: Directory;
  me: User;
  /** Shows a room, or the list of rooms. */
  open(room: string | undefined): void;
}

/** Connects the person who is signed in. */
export function startChat(tokens: SessionTokens, me: User, open: Chat["open"]): Chat {
  const client = new ConfabClient({
    url: location.origin,
    tokens,
    outboxStore: browserOutboxStore(me.id),
    maxMessages: 3000,
  });
  return { client, tokens, me, open, directory: new Directory(client) };
}
