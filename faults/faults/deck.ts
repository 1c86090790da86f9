import { BRIDGE_FAULTS } from "./bridge_faults.ts";
import { CLIENT_FAULTS } from "./client_faults.ts";
import type { Fault } from "./fault.ts";
import { LINK_FAULTS } from "./link_faults.ts";
import { POSTGRES_FAULTS } from "./postgres_faults.ts";
import { SERVER_FAULTS } from "./server_faults.ts";
import { WEB_FAULTS } from "./web_faults.ts";

/** Every class of faults. */
export const DECK: readonly Fault[] = [
  ...WEB_FAULTS,
  ...BRIDGE_FAULTS,
  ...SERVER_FAULTS,
  ...POSTGRES_FAULTS,
  ...CLIENT_FAULTS,
  ...LINK_FAULTS,
];
