import { appendNextAlert, judgeSilence } from "../store/device_silence.ts";
import { announceChange } from "./announce.ts";
import type { ChatContext } from "./context.ts";

/** Devices in one statement, and alerts and statements in one call. */
const DEVICES = 500;
const ROUNDS = 20;
const ALERTS = 2_000;

/**
 * Tells the rooms of devices that have been silent for longer than expected, and of those that are
 * heard again: one entry `device.alert` in each room, also when several do this at once or one ends
 * in the middle. Answers how many entries were appended; what is beyond a bound waits for the next
 * call, as does a room that is locked.
 */
export async function alertSilence(context: ChatContext, signal?: AbortSignal): Promise<number> {
  for (let round = 0; round < ROUNDS; round++) {
    if (signal?.aborted || await judgeSilence(context.db, DEVICES) < DEVICES) break;
  }
  let appended = 0;
  for (let i = 0; i < ALERTS && !signal?.aborted; i++) {
    const { taken, room, seq } = await appendNextAlert(context.db);
    if (!taken) break;
    if (seq === null) continue;
    appended++;
    await announceChange(context, room!, seq);
  }
  return appended;
}
