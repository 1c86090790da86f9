import { z } from "zod";
import type { Account, Introspection, PublicUser, Session, SignInResult } from "../lib/auth/mod.ts";
import { id, metadata, timestamp } from "../lib/entry_schemas.ts";

/** Answers about accounts, sessions and devices, in the manner of lib/entry_schemas.ts. */

const person = { id, name: z.string(), username: z.string().exactOptional(), metadata };
const kind = z.enum(["user", "guest", "device"]);
const globalRole = z.enum(["admin", "user", "guest", "device"]);

/** A person as everybody may see them. */
export const publicUser = z.object({ ...person, kind }).meta({ id: "PublicUser" });

/** A person as they see themselves. */
export const user = z.object({ ...person, kind, role: globalRole, createdAt: timestamp })
  .meta({ id: "User" });

/** The answer to register, login, guest and refresh. */
export const signIn = z.object({
  user,
  accessToken: z.string().meta({ description: "For `Authorization: Bearer`" }),
  refreshToken: z.string().meta({ description: "Good for one refresh" }),
  expiresIn: z.number().meta({ description: "Seconds until the access token expires" }),
}).meta({ id: "SignIn" });

/** A session as its owner sees it. */
export const session = z.object({
  id,
  client: z.string(),
  createdAt: timestamp,
  lastUsedAt: timestamp,
  expiresAt: timestamp,
  current: z.boolean().meta({ description: "The one that asks" }),
}).meta({ id: "Session" });

/** RFC 7662, section 2.2. */
export const introspection = z.discriminatedUnion("active", [
  z.object({ active: z.literal(false) }),
  z.object({
    active: z.literal(true),
    sub: id,
    sid: id,
    role: globalRole,
    username: z.string().exactOptional(),
    client_id: z.string(),
    exp: z.number(),
    iat: z.number(),
    token_type: z.literal("Bearer"),
  }),
]).meta({ id: "Introspection" });

/** A device as its owner sees it. */
export const device = z.object({
  id,
  name: z.string(),
  kind: z.enum(["device", "person"]).meta({
    description: "person: credentials with which the owner speaks MQTT",
  }),
  createdAt: timestamp,
  disabledAt: timestamp.exactOptional().meta({
    description: "It has no access until it is enabled again",
  }),
  formerSecretUntil: timestamp.exactOptional().meta({
    description: "The password before the last rotation is good until then",
  }),
}).meta({ id: "Device" });

/** What a device that has no credentials goes on with (RFC 8628, section 3.2). */
export const deviceClaim = z.object({
  deviceCode: z.string().meta({ description: "The device's own: it polls with it" }),
  userCode: z.string().meta({ description: "Shown to a person, such as `WDJB-MJHT`" }),
  verificationUri: z.string().meta({ description: "Where the person enters the code" }),
  verificationUriComplete: z.string().meta({
    description: "The same with the code in it, for a QR code",
  }),
  expiresIn: z.number().int().meta({ description: "Seconds until the codes expire" }),
  interval: z.number().int().meta({ description: "Seconds between two polls" }),
}).meta({ id: "DeviceClaim" });

const topic = z.string().meta({ description: "`{room}` stands for the id of a room" });

/** How a device reaches the broker. */
export const mqttAccess = z.object({
  host: z.string(),
  port: z.number().int(),
  tls: z.boolean(),
  clientId: z.string(),
  clientIdSuffix: z.boolean().meta({
    description: "The broker also takes `clientId` followed by `-` and anything: one device may " +
      "then connect several times",
  }),
  username: z.string().meta({
    description: "Goes with the password: after a rotation it is another one",
  }),
  password: z.string().meta({ description: "Shown this one time" }),
  topics: z.object({
    send: topic,
    events: topic,
    head: topic,
    telemetry: topic.exactOptional(),
    reported: topic.exactOptional(),
    desired: topic.exactOptional(),
    commands: z.string().exactOptional(),
    replies: z.string().exactOptional(),
    status: z.string(),
    receipts: z.string(),
    errors: z.string(),
    requests: z.string(),
    responses: z.string(),
  }).meta({
    description: "Only what works: credentials of the kind `person` have no readings, state or " +
      "commands",
  }),
}).meta({ id: "MqttAccess" });

type Equal<A, B> = [A, B] extends [B, A] ? true : never;
[true, true, true, true, true] satisfies [
  Equal<z.output<typeof publicUser>, PublicUser>,
  Equal<z.output<typeof user>, Account>,
  Equal<z.output<typeof signIn>, SignInResult>,
  Equal<z.output<typeof session>, Session>,
  Equal<z.output<typeof introspection>, Introspection>,
];
