import { CatchUp, resume } from "../../lib/client/catch_up.ts";
import { Timeline } from "../../lib/client/timeline.ts";
import { LogOrder } from "../../lib/realtime/log_order.ts";
import { Subscription } from "../../lib/realtime/subscription.ts";

/** What a world is made of: the code that serves, and a few choices of the glue around it. */
export interface Pieces {
  LogOrder: typeof LogOrder;
  Subscription: typeof Subscription;
  CatchUp: typeof CatchUp;
  Timeline: typeof Timeline;
  resume: typeof resume;
  /** Beacons read the heads. */
  beacons: boolean;
  /** A beacon takes heads for a restore only if they are of the history that was served. */
  oneHistory: boolean;
  /** A join takes its place in the feed before it reads the room. */
  placeFirst: boolean;
  /** Entries are announced after their commit, and only then. */
  committedFirst: boolean;
  /** A replay that would be too long is refused as a whole. */
  wholeReplays: boolean;
  /** A node whose epoch is not the database's closes its rooms. */
  epochs: boolean;
}

/** What Confab runs with. */
export const PRODUCTION: Pieces = {
  LogOrder,
  Subscription,
  CatchUp,
  Timeline,
  resume,
  beacons: true,
  oneHistory: true,
  placeFirst: true,
  committedFirst: true,
  wholeReplays: true,
  epochs: true,
};
