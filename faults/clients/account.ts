import type { Recorder } from "../recorder.ts";
import { type Answer, type Api, verdict } from "./api.ts";
import { againMs, wait } from "./waiting.ts";

const PASSWORD = "correct horse battery";
/** A token is replaced when it ends within this time. */
const EARLY_MS = 60_000;

/** How an account behaves. */
export interface AccountOptions {
  api: Api;
  recorder: Recorder;
  signal: AbortSignal;
  /** Whether it logs in again when its session has ended. */
  comesBack: boolean;
}

/** One person: the account, its session and its tokens, all over plain HTTP. */
export class Account {
  /** The session has ended and the person does not come back. */
  ended = false;
  #accessToken = "";
  #refreshToken = "";
  #goodUntil = 0;
  #renewal: Promise<void> | undefined;

  private constructor(
    readonly id: string,
    readonly name: string,
    readonly username: string,
    private readonly options: AccountOptions,
  ) {}

  /** Signs up, repeating until it works; throws when that is refused or the run ends. */
  static async register(name: string, options: AccountOptions): Promise<Account> {
    const { api, signal } = options;
    for (let tries = 1; !signal.aborted; tries++) {
      const username = `${name}-${crypto.randomUUID().slice(0, 8)}`;
      const answer = await api.request("POST", "/v1/auth/register", {
        body: { username, password: PASSWORD, displayName: name },
        timeoutMs: 20_000,
      });
      if (answer.status === 201) {
        const account = new Account(answer.body.user.id, name, username, options);
        account.#adopt(answer);
        return account;
      }
      if (verdict(answer.code) !== "again") throw new Error(`Register: ${answer.code}`);
      await wait(againMs(tries, api.random), signal);
    }
    throw new Error("The run ended before everybody had signed up");
  }

  /** A token to try with: a good one, or the last one there was. */
  async token(): Promise<string> {
    if (!this.ended && Date.now() > this.#goodUntil - EARLY_MS) await this.renew();
    return this.#accessToken;
  }

  /** Told when a token was refused; the next one will be another, or the account has ended. */
  refused(token: string): void {
    if (token === this.#accessToken) this.#goodUntil = 0;
  }

  /** Refreshes, and logs in again when the session has ended; one at a time. */
  renew(): Promise<void> {
    return this.#renewal ??= this.#renew().finally(() => this.#renewal = undefined);
  }

  /** Ends the session. True when the server said that it has ended. */
  async logout(): Promise<boolean> {
    const { api, signal } = this.options;
    const token = await this.token();
    for (let tries = 1; !signal.aborted; tries++) {
      const answer = await api.request("POST", "/v1/auth/logout", { token });
      if (answer.status === 204 || answer.code === "session_revoked") {
        this.ended = true;
        return true;
      }
      if (verdict(answer.code) !== "again") return false;
      await wait(answer.retryAfterMs ?? againMs(tries, api.random), signal);
    }
    return false;
  }

  /** A single-use ticket for a socket; empty when none was to be had. */
  async ticket(): Promise<string> {
    const token = await this.token();
    const answer = await this.options.api.request("POST", "/v1/auth/ticket", { token });
    if (verdict(answer.code) === "token") this.refused(token);
    return answer.status === 200 ? answer.body.ticket : "";
  }

  async #renew(): Promise<void> {
    const { api, recorder } = this.options;
    const body = { refreshToken: this.#refreshToken };
    const answer = await api.request("POST", "/v1/auth/refresh", { body });
    recorder.count(`refresh ${answer.code || "ok"}`);
    if (answer.status === 200) return this.#adopt(answer);
    if (verdict(answer.code) === "again") return;
    if (!this.options.comesBack) {
      this.ended = true;
      return;
    }
    const again = await api.request("POST", "/v1/auth/login", {
      body: { username: this.username, password: PASSWORD },
    });
    recorder.count(`login ${again.code || "ok"}`);
    if (again.status === 200) this.#adopt(again);
  }

  #adopt({ body }: Answer): void {
    this.#accessToken = body.accessToken;
    this.#refreshToken = body.refreshToken;
    this.#goodUntil = Date.now() + body.expiresIn * 1000;
  }
}
