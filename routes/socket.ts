import { ConfabError } from "../lib/errors.ts";
import type { Principal } from "../lib/auth/principal.ts";
import { directRoom } from "../lib/chat/rooms.ts";
import { isId } from "../lib/ids.ts";
import { SUBPROTOCOL } from "../lib/protocol.ts";
import type { SocketContext } from "./socket_context.ts";
import { SocketConnection } from "./socket_connection.ts";

const OPEN_MS = 10_000;

/**
 * Answers `GET /v1/socket`. Origin, whether the node takes connections at all, identity and limits
 * are settled on the HTTP request, in this order: what is refused is a ConfabError that the caller
 * renders as a problem document, and no upgrade happens. `?peer=` opens the direct room with that
 * user and joins it at once.
 */
export async function upgradeSocket(
  context: SocketContext,
  request: Request,
  address: string,
): Promise<Response> {
  const url = new URL(request.url);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new ConfabError("upgrade_required");
  }
  checkOrigin(context, request, url);
  const offered = request.headers.get("sec-websocket-protocol");
  const protocols = offered?.split(",").map((name) => name.trim()) ?? [];
  if (offered !== null && !protocols.includes(SUBPROTOCOL)) {
    throw new ConfabError("invalid_request", `The subprotocol is ${SUBPROTOCOL}`);
  }
  const { principal, peer, slot } = await context.admission.during(async () => {
    const principal = await identify(context, request, url);
    const peer = await peerRoom(context, principal, url.searchParams.get("peer"));
    return { principal, peer, slot: context.connections.admit(principal.id, address) };
  });
  try {
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: 30,
      ...(offered === null ? {} : { protocol: SUBPROTOCOL }),
    });
    const connection = new SocketConnection(context, socket, principal, slot);
    // A client that goes away during the upgrade may be told by no event at all.
    const opening = setTimeout(() => {
      connection.close("protocol_error");
      connection.gone();
    }, OPEN_MS);
    slot.opening(() => clearTimeout(opening));
    socket.onopen = () => {
      clearTimeout(opening);
      connection.open(peer);
    };
    socket.onmessage = ({ data }) => connection.receive(data);
    socket.onerror = () => {};
    socket.onclose = () => {
      clearTimeout(opening);
      connection.gone();
    };
    return response;
  } catch (error) {
    slot.release();
    throw error;
  }
}

/** Refuses browsers of other sites; programs send no Origin. */
export function checkOrigin({ config }: SocketContext, request: Request, url: URL): void {
  const origin = request.headers.get("origin");
  if (origin === null) return;
  const own = config.publicUrl === undefined
    ? [`http://${url.host}`, `https://${url.host}`]
    : [new URL(config.publicUrl).origin];
  if (![...own, ...config.allowedOrigins].includes(origin)) {
    throw new ConfabError("origin_not_allowed");
  }
}

async function identify(context: SocketContext, request: Request, url: URL): Promise<Principal> {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (bearer !== undefined) return await context.authenticate(bearer);
  const ticket = url.searchParams.get("ticket");
  if (ticket === null) throw new ConfabError("unauthenticated");
  return await context.redeemTicket(ticket);
}

async function peerRoom(
  context: SocketContext,
  principal: Principal,
  peer: string | null,
): Promise<string | undefined> {
  if (peer === null) return undefined;
  if (!isId(peer)) throw new ConfabError("not_found");
  return (await directRoom(context.chat, principal, peer)).room.id;
}
