import { base64url } from "jose";
import { isId } from "../ids.ts";
import { equalBytes } from "./equal_bytes.ts";

/**
 * Refresh tokens: `<session id>.<base64url of 32 bytes>`. The first 16 bytes name the token, the
 * last 16 are a MAC over session and name, so that a token that we made long ago can be told from
 * noise: only the first is a reuse that revokes a session, knowing a session's id is not enough.
 * Only a SHA-256 of the token is stored.
 */
export interface RefreshToken {
  session: string;
  /** SHA-256 of the whole token, in hex. */
  hash: string;
  /** Whether our key made it. Tokens from before a change of the signing key do not show this. */
  authentic: boolean;
  /**
   * The token that replaces it. It follows from this one and the key: whoever repeats a refresh
   * whose answer was lost, or refreshes twice at once, gets the same successor.
   */
  next: string;
}

const NAME_BYTES = 16;

/** The first refresh token of a session. */
export function newRefreshToken(key: CryptoKey, session: string): Promise<string> {
  return assemble(key, session, crypto.getRandomValues(new Uint8Array(NAME_BYTES)));
}

/** Reads a refresh token; undefined when it does not have the form of one. */
export async function readRefreshToken(
  key: CryptoKey,
  token: string,
): Promise<RefreshToken | undefined> {
  const [session, secret, ...rest] = token.slice(0, 128).split(".");
  if (session === undefined || secret === undefined || rest.length > 0) return undefined;
  if (!isId(session) || !/^[A-Za-z0-9_-]{43}$/.test(secret)) return undefined;
  const name = base64url.decode(secret).subarray(0, NAME_BYTES);
  const genuine = new TextEncoder().encode(await assemble(key, session, name));
  const given = new TextEncoder().encode(token);
  return {
    session,
    hash: await hashRefreshToken(token),
    authentic: equalBytes(genuine, given),
    next: await assemble(key, session, await mac(key, `next:${token}`)),
  };
}

/** What is stored of a refresh token: its SHA-256 in hex. */
export async function hashRefreshToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function assemble(key: CryptoKey, session: string, name: Uint8Array): Promise<string> {
  const proof = await mac(key, `token:${session}:${base64url.encode(name)}`);
  const secret = new Uint8Array(NAME_BYTES * 2);
  secret.set(name);
  secret.set(proof, NAME_BYTES);
  return `${session}.${base64url.encode(secret)}`;
}

/** The first 16 bytes of HMAC-SHA-256. */
async function mac(key: CryptoKey, text: string): Promise<Uint8Array> {
  const full = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return new Uint8Array(full, 0, NAME_BYTES);
}
