import { z } from "zod";
import { SIZES } from "./protocol.ts";

/**
 * Attachments by reference, as they are said and told. Nothing here, nor anywhere in Confab, opens
 * the URL: what lies behind it is between whoever sent it and whoever follows it.
 */

/** RFC 3986 without user information, in its own characters: no spaces, controls or backslashes. */
const URL_FORM =
  /^https:\/\/[A-Za-z0-9._~%!$&'()*+,;=:[\]-]+([/?#][A-Za-z0-9._~%!$&'()*+,;=:@/?#[\]-]*)?$/;
/** RFC 6838, section 4.2. */
const TYPE_FORM =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
/** Also none that turn the direction of writing: `exe.gpj` must not look like `jpg.exe`. */
const NAME_FORM = /^(?!\.{1,2}$)[^/\\\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+$/u;

const encoder = new TextEncoder();

/** The fields of an attachment. */
export const attachmentFields = {
  url: z.string().max(SIZES.urlChars)
    .regex(URL_FORM, {
      error: "must be an absolute https URL of ASCII characters, without user or password",
      abort: true,
    })
    .refine(URL.canParse, "is not a URL")
    .meta({ description: "Absolute, https, without user and password; Confab never opens it" }),
  name: z.string().min(1).max(SIZES.nameChars).refine(
    (name) => name.isWellFormed() && NAME_FORM.test(name),
    "must be a file's name: no slash, backslash or control character, not . or ..",
  ).exactOptional().meta({ description: "The file's name" }),
  type: z.string().regex(TYPE_FORM, "must be a media type, such as image/jpeg, without parameters")
    .exactOptional().meta({ description: "Media type" }),
  size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).exactOptional()
    .meta({ description: "Bytes" }),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits in lower case")
    .exactOptional()
    .meta({ description: "SHA-256 of the file (FIPS 180-4), as sha256sum prints it" }),
};

/** What a message may bring along. */
export const attachmentsSchema = z.array(z.strictObject(attachmentFields))
  .max(SIZES.attachments, `are more than ${SIZES.attachments}`)
  .refine(
    (all) => encoder.encode(JSON.stringify(all)).length <= SIZES.attachmentsBytes,
    `are larger than ${SIZES.attachmentsBytes} bytes as JSON`,
  )
  .meta({ description: "Files that lie elsewhere; at most 8 KiB as JSON" });
