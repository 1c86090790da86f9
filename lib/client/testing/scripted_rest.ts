import type { ScriptedServer } from "./scripted_server.ts";
import { ME, visible, visibleMessage } from "./scripted_server.ts";

/** The REST half of the scripted server. */
export class ScriptedRest {
  /** Method and path of every request, in order. */
  readonly requests: string[] = [];
  /** Access tokens that are accepted; refresh adds one. */
  readonly valid = new Set(["token-0"]);
  refreshes = 0;
  /** Runs before an answer; a Response it returns is used instead. */
  intercept: (
    path: string,
    request: Request,
  ) => Response | undefined | Promise<Response | undefined> = () => undefined;
  #server: ScriptedServer;

  constructor(server: ScriptedServer) {
    this.#server = server;
  }

  async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    this.requests.push(`${request.method} ${pathname}`);
    const instead = await this.intercept(pathname, request);
    if (instead !== undefined) return instead;
    if (/^\/v1\/auth\/(login|guest|refresh)$/.test(pathname)) return this.#session(pathname);
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    if (!this.valid.has(token)) return refusal(401, "token_expired");
    if (pathname === "/v1/auth/logout") return new Response(null, { status: 204 });
    if (pathname === "/v1/auth/ticket") return Response.json({ ticket: "t", expiresIn: 30 });
    const [, id, what] = /^\/v1\/rooms\/([^/]+)\/(messages|log)$/.exec(pathname) ?? [];
    if (id === undefined) return refusal(404, "not_found");
    return what === "log" ? this.#log(id, searchParams) : this.#messages(id, searchParams);
  }

  #session(pathname: string): Response {
    if (pathname.endsWith("refresh")) this.refreshes++;
    const accessToken = `token-${this.refreshes}`;
    this.valid.clear();
    this.valid.add(accessToken);
    const refreshToken = `refresh-${this.refreshes}`;
    return Response.json({
      user: { ...ME, role: "user", createdAt: "2030-01-01T00:00:00.000Z", metadata: {} },
      accessToken,
      refreshToken,
      expiresIn: 900,
    });
  }

  #messages(id: string, query: URLSearchParams): Response {
    const room = this.#server.room(id);
    const before = Number(query.get("before") ?? Infinity);
    const limit = Number(query.get("limit") ?? 50);
    const all = room.messages().filter((message) =>
      message.seq < before && message.seq > room.floor
    );
    return Response.json({
      messages: all.slice(-limit).map(visibleMessage),
      head: room.head,
      epoch: room.epoch,
      hasMore: all.length > limit,
    });
  }

  #log(id: string, query: URLSearchParams): Response {
    const room = this.#server.room(id);
    const after = Number(query.get("after"));
    const limit = Number(query.get("limit") ?? 50);
    if (query.get("epoch") !== room.epoch) return refusal(409, "epoch_changed");
    const later = room.entries.filter((entry) => entry.seq > after);
    return Response.json({
      entries: later.slice(0, limit).map(visible),
      head: room.head,
      epoch: room.epoch,
      hasMore: later.length > limit,
    });
  }
}

/** A problem document. */
export function refusal(status: number, code: string, retryAfter?: number): Response {
  const body = { type: "about:blank", title: code, status, code, detail: code, requestId: "r" };
  return Response.json(retryAfter === undefined ? body : { ...body, retryAfter }, {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}
