import { z } from "zod";
import { approveClaim, redeemClaim, startClaim } from "../lib/chat/device_claims.ts";
import { addressKey } from "../lib/limits/address_key.ts";
import { idSchema, nameSchema, storableString } from "../lib/schemas.ts";
import { device, deviceClaim } from "./account_responses.ts";
import type { Api } from "./api.ts";
import { credentialsOf, requireBroker, withAccess } from "./device_access.ts";

const one = z.object({ device });
const approval = z.strictObject({
  userCode: storableString(1, 32).meta({ description: "In any case, with or without the dash" }),
  name: nameSchema.exactOptional(),
  rooms: z.array(idSchema).max(20).default([]),
});
const tag = "Devices";

/** How a device without credentials gets them: a person takes it in (after RFC 8628). */
export function claimRoutes(api: Api): void {
  api.addOpen({
    method: "POST",
    path: "/v1/device-claims",
    name: "startDeviceClaim",
    tag,
    summary: "Ask for credentials, as a device",
    description: "The device shows the user code, and polls with the device code. In the manner " +
      "of the OAuth 2.0 device authorization grant (RFC 8628).",
    access: "anyone",
    body: z.strictObject({ name: nameSchema.exactOptional() }),
    example: { name: "Soil sensor" },
    responses: { 201: { description: "The codes", schema: deviceClaim } },
  }, async ({ context, body, c }) => {
    requireBroker(context);
    const started = await startClaim(context, body, addressKey(c.var.address));
    const home = context.config.publicUrl ?? new URL(c.req.url).origin;
    const verificationUri = `${home}/#claim`;
    const verificationUriComplete = `${verificationUri}=${started.userCode}`;
    return { status: 201, body: { ...started, verificationUri, verificationUriComplete } };
  });
  api.add({
    method: "POST",
    path: "/v1/device-claims/approve",
    name: "approveDeviceClaim",
    tag,
    summary: "Take in the device that shows this code",
    description: "The device becomes one's own and a member of the rooms, where one must be an " +
      "owner or admin. When a room refuses it, nothing is made, and the code is still good.",
    access: "signed-in",
    body: approval,
    example: { userCode: "WDJB-MJHT", name: "Soil sensor, north" },
    responses: {
      200: { description: "The device, which one had approved before", schema: one },
      201: { description: "The new device", schema: one },
    },
    errors: ["not_found", "claim_expired", "forbidden", "not_a_member", "direct_room"],
  }, async ({ context, principal, body, c }) => {
    const address = addressKey(c.var.address);
    const { device, created } = await approveClaim(context, principal, body, address);
    return { status: created ? 201 : 200, body: { device } };
  });
  api.addOpen({
    method: "POST",
    path: "/v1/device-claims/token",
    name: "fetchDeviceClaim",
    tag,
    summary: "Fetch the credentials, as the device",
    description: "`claim_pending` until a person has approved; then the credentials, once. When " +
      "that answer gets lost, the owner rotates the password or removes the device. Who asks too " +
      "often is `rate_limited` and waits as `Retry-After` says. In the words of RFC 8628 these are " +
      "authorization_pending and slow_down, and `claim_expired` is expired_token.",
    access: "anyone",
    body: z.strictObject({ deviceCode: storableString(1, 128) }),
    responses: { 200: { description: "The device and its credentials", schema: withAccess } },
    errors: ["claim_pending", "claim_expired"],
  }, async ({ context, body }) => {
    const endpoint = requireBroker(context);
    const redeemed = await redeemClaim(context, body.deviceCode);
    return { status: 200, body: await credentialsOf(context, endpoint, redeemed) };
  });
}
