import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { ConfabError, type ErrorCode } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Keys } from "./keys.ts";
import type { Principal } from "./principal.ts";
import { VerifiedTokens } from "./verified_tokens.ts";

/** Seconds that an access token is valid. */
export const ACCESS_SECONDS = 15 * 60;
/** Seconds that a connection ticket is valid. */
export const TICKET_SECONDS = 30;
/** Seconds that clocks of two nodes may differ. */
export const CLOCK_TOLERANCE_SECONDS = 5;
/** `aud` of every token, and `client_id` of access tokens: there is one API and one client class. */
export const AUDIENCE = "confab";

const MAX_TOKEN_CHARS = 4096;

/** What a valid access token says. */
export interface AccessToken {
  /** With `session` and `expiresAt`. */
  principal: SignedIn;
  /** Unix milliseconds, whole seconds. */
  issuedAt: number;
}

/** What a valid ticket says; whether it was used before is not known yet. */
export interface Ticket {
  id: string;
  /** `expiresAt` is that of the access token it was issued for. */
  principal: SignedIn;
  /** Unix milliseconds after which no node accepts the ticket. */
  refusedAfter: number;
}

/** A person whose token has been verified. */
export type SignedIn = Principal & { session: string; expiresAt: number };

/** Signs and verifies access tokens (JWT, in the form of RFC 9068) and connection tickets. */
export interface Tokens {
  /** A new access token for a session. */
  signAccess(principal: Principal & { session: string }): Promise<string>;
  /** @throws {ConfabError} `token_expired` or `token_invalid` */
  verifyAccess(token: string): Promise<AccessToken>;
  /** A ticket for one connection, in place of the access token that the principal came with. */
  signTicket(principal: SignedIn): Promise<string>;
  /** @throws {ConfabError} `ticket_invalid` */
  verifyTicket(ticket: string): Promise<Ticket>;
  /** Unix milliseconds now, as this object sees them. */
  now(): number;
}

const claims = z.object({
  sub: z.string(),
  sid: z.string(),
  jti: z.string(),
  iat: z.number().int(),
  exp: z.number().int(),
  kind: z.enum(["user", "guest", "device"]),
  role: z.enum(["admin", "user", "guest", "device"]),
  name: z.string(),
});
const ticketClaims = claims.extend({ access_exp: z.number().int() });

/** How createTokens() works. */
export interface TokenOptions {
  keys: Keys;
  /** `iss` of every token: the public URL, or `confab` where there is none. */
  issuer: string;
  /** Unix milliseconds; Date.now when absent. */
  clock?: () => number;
}

/** Makes the signer and verifier of one installation. Verified access tokens are remembered. */
export function createTokens({ keys, issuer, clock = Date.now }: TokenOptions): Tokens {
  const verified = new VerifiedTokens<AccessToken>();

  const sign = (typ: string, seconds: number, principal: Principal, extra: object) => {
    const iat = Math.floor(clock() / 1000);
    const { id, session, kind, role, name } = principal;
    return new SignJWT({ sid: session, kind, role, name, ...extra })
      .setProtectedHeader({ alg: "EdDSA", typ, kid: keys.signing.kid })
      .setIssuer(issuer).setAudience(AUDIENCE).setSubject(id).setJti(newId())
      .setIssuedAt(iat).setExpirationTime(iat + seconds).sign(keys.signing.key);
  };
  const verify = async <T>(token: string, typ: string, schema: z.ZodType<T>): Promise<T> => {
    if (token.length > MAX_TOKEN_CHARS) throw new TypeError("The token is too long");
    const { payload } = await jwtVerify(token, ({ kid }) => {
      const key = keys.verification(kid ?? "");
      if (key === undefined) throw new errors.JWKSNoMatchingKey();
      return key;
    }, {
      algorithms: ["EdDSA"],
      typ,
      issuer,
      audience: AUDIENCE,
      requiredClaims: ["sub", "sid", "jti", "iat", "exp", "kind", "role", "name"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(clock()),
    });
    return schema.parse(payload);
  };

  return {
    now: clock,
    signAccess: (principal) => sign("at+jwt", ACCESS_SECONDS, principal, { client_id: AUDIENCE }),
    signTicket: (principal) =>
      sign("ticket+jwt", TICKET_SECONDS, principal, {
        access_exp: Math.floor(principal.expiresAt / 1000),
      }),
    verifyAccess: async (token) => {
      const known = verified.get(token, clock());
      if (known !== undefined) return known;
      try {
        const payload = await verify(token, "at+jwt", claims);
        const access = {
          principal: principalOf(payload, payload.exp),
          issuedAt: payload.iat * 1000,
        };
        verified.add(token, access, payload.exp * 1000);
        return access;
      } catch (error) {
        throw refusal(
          error,
          error instanceof errors.JWTExpired ? "token_expired" : "token_invalid",
        );
      }
    },
    verifyTicket: async (ticket) => {
      try {
        const payload = await verify(ticket, "ticket+jwt", ticketClaims);
        return {
          id: payload.jti,
          principal: principalOf(payload, payload.access_exp),
          refusedAfter: (payload.exp + CLOCK_TOLERANCE_SECONDS) * 1000,
        };
      } catch (error) {
        throw refusal(error, "ticket_invalid");
      }
    },
  };
}

/** Frozen, because every request with the same token shares it. */
function principalOf(payload: z.infer<typeof claims>, endsAt: number): SignedIn {
  const { sub, sid, kind, role, name } = payload;
  return Object.freeze({ id: sub, kind, role, name, session: sid, expiresAt: endsAt * 1000 });
}

function refusal(cause: unknown, code: ErrorCode): ConfabError {
  return new ConfabError(code, undefined, { cause });
}
