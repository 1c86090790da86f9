import type { Principal } from "../lib/auth/principal.ts";
import type { ChatContext } from "../lib/chat/context.ts";
import type { Config } from "../lib/config.ts";
import type { Log } from "../lib/log.ts";
import type { Admission } from "../lib/realtime/admission.ts";
import type { Connections } from "../lib/realtime/connections.ts";
import type { Hub } from "../lib/realtime/hub.ts";
import type { NodePresence } from "../lib/realtime/node_presence.ts";

/** What sockets and streams work with. */
export interface SocketContext {
  config: Config;
  chat: ChatContext;
  hub: Hub;
  connections: Connections;
  /** Whether the node takes new connections. */
  admission: Admission;
  presence: NodePresence;
  /** Says whose an access token is. Throws `token_invalid`, `token_expired`, `session_revoked`. */
  authenticate(bearer: string): Promise<Principal>;
  /** Uses up a connection ticket. Throws `ticket_invalid`. */
  redeemTicket(ticket: string): Promise<Principal>;
  /** The epoch in force. */
  epoch: { value: string };
  log: Log;
}
