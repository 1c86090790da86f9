import type { Subscription } from "./connection.ts";
import { DynamicSecurity } from "./provisioning.ts";
import type { Topics } from "./topics.ts";

/** What the bridge subscribes to; `isAdmin`: it speaks with the dynamic security plugin. */
export function subscriptionsOf(topics: Topics, isAdmin: boolean): Subscription[] {
  const { status, reported, ...others } = topics.inbound();
  return [
    ...Object.values(others).map((filter) => ({ filter, qos: 1, rh: 2 }) as const),
    // What is retained of these is shown again: it may be newer than what is known.
    { filter: status, qos: 1, rh: 0 },
    { filter: reported, qos: 1, rh: 0 },
    ...(isAdmin ? [DynamicSecurity.subscription] : []),
  ];
}
