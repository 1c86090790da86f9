import { assert, assertEquals } from "@std/assert";
import type { LogEntry, SendOk } from "../lib/protocol.ts";

/** An account as tests use it. */
export interface Account {
  id: string;
  name: string;
  username: string;
  token: string;
}

/** An answer over HTTP; `body` is its JSON, if it has any. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- tests look into answers whose shape they assert
  body: any;
}

/** Talks to a running server over HTTP, as programs do. */
export class ApiClient {
  constructor(readonly url: string) {}

  async request(
    method: string,
    path: string,
    { token, body, headers = {} }: {
      token?: string;
      body?: unknown;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** Signs up with a username that nobody else has. */
  async register(name = "somebody"): Promise<Account> {
    const username = `${name}-${crypto.randomUUID().slice(0, 8)}`;
    const body = { username, password: "correct horse battery", displayName: name };
    const answer = await this.request("POST", "/v1/auth/register", { body });
    assertEquals(answer.status, 201, JSON.stringify(answer.body));
    const { user, accessToken } = answer.body;
    return { id: user.id, name, username, token: accessToken };
  }

  /** Signs in again: another session of the same account. */
  async login({ id, name, username }: Account): Promise<Account> {
    const body = { username, password: "correct horse battery" };
    const answer = await this.request("POST", "/v1/auth/login", { body });
    assertEquals(answer.status, 200, JSON.stringify(answer.body));
    return { id, name, username, token: answer.body.accessToken };
  }

  /** Makes a room with these members besides its owner, and returns its id. */
  async room(owner: Account, ...members: Account[]): Promise<string> {
    const answer = await this.request("POST", "/v1/rooms", {
      token: owner.token,
      body: { name: "a room", visibility: "private" },
    });
    assertEquals(answer.status, 201, JSON.stringify(answer.body));
    const room: string = answer.body.room.id;
    for (const member of members) await this.add(owner, room, member);
    return room;
  }

  async add(owner: Account, room: string, member: Account): Promise<void> {
    const path = `/v1/rooms/${room}/members/${member.id}`;
    const { status } = await this.request("PUT", path, { token: owner.token, body: {} });
    assertEquals(status, 201);
  }

  async remove(owner: Account, room: string, member: Account): Promise<void> {
    const path = `/v1/rooms/${room}/members/${member.id}`;
    assertEquals((await this.request("DELETE", path, { token: owner.token })).status, 204);
  }

  /** Sends a message over REST; the clientId is a fresh one when absent. */
  async send(
    sender: Account,
    room: string,
    text: string,
    clientId: string = crypto.randomUUID(),
  ): Promise<SendOk> {
    const { status, body } = await this.request("POST", `/v1/rooms/${room}/messages`, {
      token: sender.token,
      body: { clientId, text },
    });
    assert(status === 200 || status === 201, JSON.stringify(body));
    return { seq: body.message.seq, at: body.message.at, duplicate: body.duplicate };
  }

  /** A single-use ticket for a WebSocket. */
  async ticket({ token }: Account): Promise<string> {
    const { status, body } = await this.request("POST", "/v1/auth/ticket", { token });
    assertEquals(status, 200);
    return body.ticket;
  }

  /** All entries of a room after a seq, page by page. */
  async log(reader: Account, room: string, after = 0): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for (let more = true; more;) {
      const path = `/v1/rooms/${room}/log?after=${entries.at(-1)?.seq ?? after}&limit=200`;
      const { status, body } = await this.request("GET", path, { token: reader.token });
      assertEquals(status, 200, JSON.stringify(body));
      entries.push(...body.entries);
      more = body.hasMore;
    }
    return entries;
  }
}
