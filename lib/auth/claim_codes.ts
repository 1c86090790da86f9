import { base64url } from "jose";

/** Consonants only: they make no words, and none is taken for a digit (RFC 8628, section 6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const LENGTH = 8;

/** What a device polls with: 256 random bits in base64url. */
export function newDeviceCode(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
}

/** What a person types, such as `WDJB-MJHT`: one of 20^8, some 34 bits. */
export function newUserCode(): string {
  let code = "";
  while (code.length < LENGTH) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // 240 is a multiple of 20: the bytes above would make some letters more frequent.
    if (byte! < 240) code += LETTERS[byte! % LETTERS.length];
  }
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/** A user code as newUserCode() writes it, however it was typed; undefined when it is not one. */
export function readUserCode(typed: string): string | undefined {
  const code = typed.toUpperCase().replace(/[\s._-]/g, "");
  if (code.length !== LENGTH || [...code].some((letter) => !LETTERS.includes(letter))) {
    return undefined;
  }
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;
}

/**
 * What is stored of a code: HMAC-SHA-256 in hex. Keyed, because there are so few user codes that
 * anybody who reads plain hashes could find them all. A change of the key ends the open claims.
 */
export async function hashClaimCode(key: CryptoKey, code: string): Promise<string> {
  const text = new TextEncoder().encode(`device claim:${code}`);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, text));
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
