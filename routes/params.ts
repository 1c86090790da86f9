import { z } from "zod";
import { idSchema, seqSchema } from "../lib/schemas.ts";

/** The parts of paths and queries that several endpoints have. */

/** A whole number written in decimal digits. */
export function decimal(schema: z.ZodNumber) {
  return z.string().regex(/^\d{1,16}$/, "must be a whole number").transform(Number).pipe(schema);
}

export const roomParams = z.object({ room: idSchema });
export const messageParams = z.object({ room: idSchema, seq: decimal(seqSchema.min(1)) });
export const memberParams = z.object({ room: idSchema, principal: idSchema });
export const idParams = z.object({ id: idSchema });

/** How many items a page has. */
export const limit = decimal(z.number().int().min(1).max(200)).default(50);
/** What continues a list. */
export const next = z.string().min(1).max(2000)
  .meta({ description: "The `next` of the page before" });
export const pageQuery = z.strictObject({ limit, next: next.exactOptional() });

/** The page that an action is asked for. */
export function pageOf(
  query: { limit: number; next?: string },
): { limit: number; cursor?: string } {
  return {
    limit: query.limit,
    ...(query.next === undefined ? {} : { cursor: query.next }),
  };
}
