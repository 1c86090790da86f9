import type { ServerFrame } from "../lib/protocol.ts";

const decoder = new TextDecoder();

/** The objects in one frame from the server. */
export function serverFrames(bytes: Uint8Array): ServerFrame[] {
  const value = JSON.parse(decoder.decode(bytes));
  return Array.isArray(value) ? value : [value];
}

/** How a socket of Confab is opened with an access token. */
export function confabSocket(token: string) {
  const headers = { Authorization: `Bearer ${token}` };
  return { path: "/v1/socket", protocol: "confab.v1", headers };
}
