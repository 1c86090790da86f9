import type { GlobalRole, PublicPrincipal } from "../protocol.ts";

/** Who acts, as the transport has established it; an argument of every action, never from a payload. */
export interface Principal extends PublicPrincipal {
  role: GlobalRole;
  /** The session that the access token belongs to; devices on MQTT have none. */
  session?: string;
  /** Unix milliseconds when the access ends by itself; devices on MQTT have none. */
  expiresAt?: number;
}
