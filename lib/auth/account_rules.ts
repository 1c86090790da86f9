import { ConfabError } from "../errors.ts";
import { SIZES } from "../protocol.ts";
import { isStorable } from "../schemas.ts";

/** What a username may be; two that differ in case are the same. */
export const USERNAME = /^[A-Za-z0-9._-]{3,32}$/;
/** Length of a password in Unicode code points. */
export const PASSWORD_CHARS = { min: 8, max: 256 } as const;

/** True for a password of an accepted length. */
export function isPassword(password: string): boolean {
  if (password.length > PASSWORD_CHARS.max * 2) return false;
  const length = [...password].length;
  return length >= PASSWORD_CHARS.min && length <= PASSWORD_CHARS.max;
}

/**
 * The edge validates with better words; this keeps what it missed out of the database.
 *
 * @throws {ConfabError} `invalid_request`
 */
export function requireFit(path: string, fits: boolean): void {
  if (fits) return;
  throw new ConfabError("invalid_request", undefined, {
    errors: [{ path, message: "has a form that is not accepted" }],
  });
}

/** True for the name of a person. */
export function isName(name: string): boolean {
  return name.trim() !== "" && name.length <= SIZES.nameChars && isStorable(name);
}

/** What a client calls itself, cut to what is kept and shown in the list of sessions. */
export function clientName(client: string): string {
  return client.slice(0, 200).replaceAll("\0", "").toWellFormed();
}
