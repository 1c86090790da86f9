import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { Metadata, PrincipalId } from "../protocol.ts";
import * as store from "../store/data_schemas.ts";
import type { ChatContext } from "./context.ts";

/** What the data of a device's messages must look like; null: anything. Throws `not_found`. */
export async function getDataSchema(
  context: ChatContext,
  owner: Principal,
  device: PrincipalId,
): Promise<Metadata | null> {
  const schema = await store.readDataSchema(context.db, device, owner.id);
  if (schema === undefined) throw new ConfabError("not_found");
  return schema;
}

/**
 * Says what the data of a device's messages must look like from now on, within some seconds on
 * every bridge. Throws `not_found`, `invalid_request`.
 */
export async function setDataSchema(
  context: ChatContext,
  owner: Principal,
  device: PrincipalId,
  schema: Metadata | null,
): Promise<void> {
  if (schema !== null) (await import("../data_schema.ts")).dataCheck(schema);
  if (!await store.setDataSchema(context.db, device, owner.id, schema)) {
    throw new ConfabError("not_found");
  }
  context.bus.revoke({ device });
}
