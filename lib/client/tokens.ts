import type { SessionAnswer, User } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { ConfabClientError } from "./errors.ts";
import { exchange } from "./exchange.ts";

/** Where access tokens come from. */
export interface TokenProvider {
  /** A token that is valid now; with `refresh`, one newer than the last, which was refused. */
  accessToken(options: { refresh: boolean }): Promise<string>;
}

/** What is kept of a session. */
export interface Session {
  user: User;
  accessToken: string;
  refreshToken: string;
  /** Unix milliseconds by this machine's clock. */
  expiresAt: number;
  /** Unix milliseconds when these tokens were received. */
  receivedAt: number;
}

/** Keeps the session beyond this process or page, and shares it between tabs. */
export interface SessionStore {
  load(): Session | undefined;
  /** `undefined` forgets it. */
  save(session: Session | undefined): void;
}

/** Options of {@link SessionTokens}. */
export interface SessionTokensOptions {
  /** Where Confab is served, such as `https://chat.example.org`. */
  url: string;
  store?: SessionStore;
  /** Runs one refresh at a time among all who share `store`; in browsers a Web Lock. */
  exclusive?: <T>(work: () => Promise<T>) => Promise<T>;
  fetch?: typeof fetch;
  clock?: Clock;
}

/** A token this near to its end is renewed before it is used. */
const MARGIN_MS = 30_000;
/** A token this young is not refreshed again: two requests that met the same old token. */
const YOUNG_MS = 5_000;

/** A session by username and password or as a guest; refreshes itself, one refresh at a time. */
export class SessionTokens extends Emitter<{ session: Session | undefined }>
  implements TokenProvider {
  #options: SessionTokensOptions;
  #clock: Clock;
  #session: Session | undefined;
  #refreshing: Promise<string> | undefined;

  constructor(options: SessionTokensOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#session = options.store?.load();
  }

  /** The session, when there is one. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Makes an account and signs in. */
  register(account: { username: string; password: string; displayName?: string }): Promise<User> {
    return this.#begin("register", account);
  }

  /** Signs in to an account. */
  login(credentials: { username: string; password: string }): Promise<User> {
    return this.#begin("login", credentials);
  }

  /** Signs in without an account. */
  guest(options: { displayName?: string } = {}): Promise<User> {
    return this.#begin("guest", options);
  }

  /** Ends the session here at once, and on the server if it answers. */
  async logout(): Promise<void> {
    const session = this.#session;
    this.#keep(undefined);
    if (session === undefined) return;
    await this.#post("logout", undefined, session.accessToken).catch(() => {});
  }

  accessToken(options: { refresh: boolean }): Promise<string> {
    const session = this.#session;
    if (session === undefined) return Promise.reject(signedOut());
    const now = this.#clock.now();
    const young = now - session.receivedAt < YOUNG_MS && now >= session.receivedAt;
    const fresh = session.expiresAt - now > MARGIN_MS;
    if (fresh && (!options.refresh || young)) return Promise.resolve(session.accessToken);
    this.#refreshing ??= this.#exclusively(() => this.#refresh(session)).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  #exclusively(work: () => Promise<string>): Promise<string> {
    return this.#options.exclusive?.(work) ?? work();
  }

  /** Another tab may have refreshed `old` already: then its tokens are taken over. */
  async #refresh(old: Session): Promise<string> {
    const stored = this.#options.store === undefined ? old : this.#options.store.load();
    if (stored === undefined) {
      this.#keep(undefined);
      throw signedOut();
    }
    if (stored.refreshToken !== old.refreshToken) {
      this.#session = stored;
      if (stored.expiresAt - this.#clock.now() > MARGIN_MS) return stored.accessToken;
    }
    try {
      const answer = await this.#post("refresh", { refreshToken: stored.refreshToken });
      if (this.#session === undefined) throw signedOut();
      return this.#keep(this.#received(answer as SessionAnswer))!.accessToken;
    } catch (error) {
      const refused = error instanceof ConfabClientError && error.status === 401;
      if (refused && this.#session !== undefined) this.#keep(undefined);
      throw error;
    }
  }

  async #begin(route: string, body: object): Promise<User> {
    const answer = await this.#post(route, body) as SessionAnswer;
    return this.#keep(this.#received(answer))!.user;
  }

  #received(answer: SessionAnswer): Session {
    const { user, accessToken, refreshToken, expiresIn } = answer;
    const now = this.#clock.now();
    return {
      user,
      accessToken,
      refreshToken,
      expiresAt: now + expiresIn * 1000,
      receivedAt: now,
    };
  }

  #keep(session: Session | undefined): Session | undefined {
    this.#session = session;
    this.#options.store?.save(session);
    this.emit("session", session);
    return session;
  }

  #post(route: string, body: object | undefined, token?: string): Promise<unknown> {
    return exchange(this.#options.fetch ?? fetch, {
      method: "POST",
      url: new URL(`/v1/auth/${route}`, this.#options.url),
      body,
      token,
    });
  }
}

function signedOut(): ConfabClientError {
  return new ConfabClientError("unauthenticated", "Sign in first", { status: 401 });
}
