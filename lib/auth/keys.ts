import { base64url, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from "jose";
import { z } from "zod";
import { ConfigError } from "../config.ts";
import { readKeyFile, writeKeyFile } from "./key_file.ts";

/** The secrets of an installation as configuration and the key file hold them. */
export interface KeyMaterial {
  /** Ed25519 private key as a JWK in JSON (RFC 8037). */
  jwtPrivateJwk: string;
  /** 32 random bytes in base64url. */
  deviceKey: string;
}

/** A public signing key as `/.well-known/jwks.json` shows it. */
export interface PublicJwk {
  kty: "OKP";
  crv: "Ed25519";
  x: string;
  kid: string;
  use: "sig";
  alg: "EdDSA";
}

/** The keys in use. A `kid` is always the RFC 7638 thumbprint, whatever a JWK calls itself. */
export interface Keys {
  /** Signs every token that is made now. */
  signing: { kid: string; key: CryptoKey };
  /** The public key of that id: the current one, or a previous one during a rotation. */
  verification(kid: string): CryptoKey | undefined;
  /** The public keys (RFC 7517). */
  jwks(): { keys: PublicJwk[] };
  /** HMAC-SHA-256 key from which device secrets are derived. */
  deviceKey: CryptoKey;
  /** HMAC-SHA-256 key of refresh tokens; derived from the signing key, so it changes with it. */
  refreshKey: CryptoKey;
}

const BYTES_32 = /^[A-Za-z0-9_-]{43}$/;
const publicJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(BYTES_32),
});
const privateJwk = publicJwk.extend({ d: z.string().regex(BYTES_32) });
const jwkSet = z.object({ keys: z.array(publicJwk).max(20) });

/** New random keys. */
export async function generateKeys(): Promise<KeyMaterial> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const { kty, crv, x, d } = await exportJWK(privateKey);
  return {
    jwtPrivateJwk: JSON.stringify({ kty, crv, x, d }),
    deviceKey: base64url.encode(crypto.getRandomValues(new Uint8Array(32))),
  };
}

/**
 * The keys from `configured`; what is missing there comes from `<dataDir>/keys.json`, which is
 * made on the first start. Processes that start together end up with the same file.
 *
 * @throws {ConfigError} naming the variable, never its value, when a key is missing or malformed
 */
export async function loadKeys(
  configured: {
    jwtPrivateJwk?: string | undefined;
    jwtPreviousJwks?: string | undefined;
    deviceKey?: string | undefined;
  },
  dataDir?: string,
): Promise<Keys> {
  let { jwtPrivateJwk, deviceKey } = configured;
  if (jwtPrivateJwk === undefined || deviceKey === undefined) {
    if (dataDir === undefined) {
      throw new ConfigError(
        `${jwtPrivateJwk === undefined ? "JWT_PRIVATE_JWK" : "DEVICE_KEY"} is required`,
      );
    }
    const kept = await readKeyFile(dataDir) ?? await writeKeyFile(dataDir, await generateKeys());
    jwtPrivateJwk ??= kept.jwtPrivateJwk;
    deviceKey ??= kept.deviceKey;
  }
  if (!BYTES_32.test(deviceKey)) {
    throw new ConfigError("DEVICE_KEY: must be 32 bytes in base64url (43 characters)");
  }
  const hmac = { name: "HMAC", hash: "SHA-256" };
  return {
    ...await signingKeys(jwtPrivateJwk, configured.jwtPreviousJwks),
    deviceKey: await crypto.subtle.importKey(
      "raw",
      new Uint8Array(base64url.decode(deviceKey)),
      hmac,
      false,
      ["sign"],
    ),
  };
}

async function signingKeys(
  privateText: string,
  previousText: string | undefined,
): Promise<Omit<Keys, "deviceKey">> {
  const jwk = parse(privateText, privateJwk, "JWT_PRIVATE_JWK", "an Ed25519 private key (JWK)");
  const previous = previousText === undefined ? [] : parse(
    previousText,
    jwkSet,
    "JWT_PREVIOUS_JWKS",
    'a JWK set of Ed25519 public keys: {"keys": […]}',
  ).keys;
  const key = await pair(jwk);
  const shown: PublicJwk[] = [];
  const byKid = new Map<string, CryptoKey>();
  for (const { kty, crv, x } of [jwk, ...previous]) {
    const kid = await calculateJwkThumbprint({ kty, crv, x });
    if (byKid.has(kid)) continue;
    shown.push({ kty, crv, x, kid, use: "sig", alg: "EdDSA" });
    byKid.set(kid, await importPublic({ kty, crv, x }, "JWT_PREVIOUS_JWKS"));
  }
  return {
    signing: { kid: shown[0]!.kid, key },
    verification: (kid) => byKid.get(kid),
    jwks: () => ({ keys: shown.map((each) => ({ ...each })) }),
    refreshKey: await derive(jwk.d, "confab refresh tokens"),
  };
}

/** Imports the private key and refuses one whose public half is another key's. */
async function pair({ kty, crv, x, d }: z.infer<typeof privateJwk>): Promise<CryptoKey> {
  const probe = crypto.getRandomValues(new Uint8Array(16));
  try {
    const key = await importJWK({ kty, crv, x, d }, "EdDSA");
    const publicKey = await importPublic({ kty, crv, x }, "JWT_PRIVATE_JWK");
    const signature = await crypto.subtle.sign("Ed25519", key, probe);
    if (await crypto.subtle.verify("Ed25519", publicKey, signature, probe)) return key;
  } catch {
    // The cause may quote the key; the message below says enough.
  }
  throw new ConfigError("JWT_PRIVATE_JWK: x and d are not one Ed25519 key pair");
}

async function importPublic(jwk: z.infer<typeof publicJwk>, name: string): Promise<CryptoKey> {
  try {
    return await importJWK(jwk, "EdDSA");
  } catch {
    throw new ConfigError(`${name}: holds a key that is not an Ed25519 public key`);
  }
}

/** An HMAC key for one purpose from the secret half of the signing key (HKDF, RFC 5869). */
async function derive(d: string, purpose: string): Promise<CryptoKey> {
  const secret = new Uint8Array(base64url.decode(d));
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode(purpose);
  return await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info },
    base,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign"],
  );
}

function parse<T>(text: string, schema: z.ZodType<T>, name: string, expected: string): T {
  try {
    return schema.parse(JSON.parse(text), { jitless: true });
  } catch {
    // The cause would quote the key.
    throw new ConfigError(`${name}: must be ${expected}`);
  }
}
