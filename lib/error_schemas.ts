import { z } from "zod";
import { ERRORS, isErrorCode } from "./errors.ts";

/** A stable code of the table of errors; later versions add codes. */
export const errorCode = z.string().refine(
  (code): boolean => isErrorCode(code),
  "is not a code of the table",
).meta({
  id: "ErrorCode",
  description: "Stable; programs act on it. Later versions add codes.",
  enum: Object.keys(ERRORS),
});

/** What every error says outside HTTP. */
export const errorFields = {
  code: errorCode,
  message: z.string().meta({ description: "For people; it may change" }),
  retryAfter: z.number().min(0).exactOptional().meta({
    description: "Seconds after which a repeat is sensible",
  }),
};

/** What is wrong with which field of what was sent. */
export const fieldErrors = z.array(z.object({ path: z.string(), message: z.string() })).meta({
  description: "What is wrong with which field; paths are dotted",
});
