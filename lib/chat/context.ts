import type { Bus } from "../bus/mod.ts";
import type { Database } from "../database/mod.ts";
import type { Lanes } from "../lanes.ts";
import type { Quota } from "../limits/quota.ts";
import type { Log } from "../log.ts";
import type { Presence } from "../presence/mod.ts";
import type { Appender } from "./appender.ts";

/** What the actions work with. */
export interface ChatContext {
  db: Database;
  bus: Bus;
  presence: Presence;
  appender: Appender;
  /** Sends, edits and deletes per principal. */
  sends: Quota;
  /** Wishes for devices that were made without a version, see in_turn.ts. */
  wishes: Lanes;
  log: Log;
}
