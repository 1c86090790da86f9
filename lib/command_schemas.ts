import { z } from "zod";
import { metadataSchema, recordOf, storableString } from "./schemas.ts";

/** What people say about commands, shared by REST and its document. */

/** Name of a command. */
export const commandName = z.string().regex(
  /^[a-z0-9][a-z0-9_.-]{0,63}$/,
  "must be 1 to 64 of a-z 0-9 _ . - and begin with a letter or digit",
);
/** What a command is told; at most 4 KiB as JSON. */
export const commandArgs = metadataSchema;
/** How long the device may take, also to come online. */
export const timeoutSeconds = z.number().int().min(1).max(86_400);

const MAX_DEFINITIONS = 50;
const MAX_ARGS = 20;
const ARG_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const ARGS_SHAPE = {
  propertyNames: { type: "string", pattern: ARG_NAME.source },
  additionalProperties: { type: "string", minLength: 0, maxLength: 200 },
} as const;

/** One command that a device takes. */
export const commandDefinition = z.strictObject({
  name: commandName,
  description: storableString(0, 500).exactOptional(),
  dangerous: z.boolean().exactOptional()
    .meta({ description: "Whoever sends it must confirm it" }),
  minRole: z.enum(["member", "admin", "owner"]).exactOptional()
    .meta({ description: "The least role in the room that may send it; default: member" }),
  timeoutSeconds: timeoutSeconds.exactOptional()
    .meta({ description: "How long it may take when its sender does not say; default: 30" }),
  args: recordOf(z.string().regex(ARG_NAME), storableString(0, 200), ARGS_SHAPE).refine(
    (args) => Object.keys(args).length <= MAX_ARGS,
    `has more than ${MAX_ARGS} entries`,
  ).exactOptional().meta({
    type: "object",
    ...ARGS_SHAPE,
    description: "A sentence for each argument; nothing is checked by it",
  }),
}).meta({ id: "CommandDefinition" });

/** All commands that a device takes; null: any. */
export const commandDefinitions = z.array(commandDefinition).max(MAX_DEFINITIONS).refine(
  (all) => new Set(all.map(({ name }) => name)).size === all.length,
  "has a name twice",
).nullable().meta({ description: "null: it takes every command" });

/** One command that a device takes. */
export type CommandDefinition = z.output<typeof commandDefinition>;
