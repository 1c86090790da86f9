import type { RoomId } from "../../lib/protocol.ts";
import type { Recorder } from "../recorder.ts";
import type { Account } from "./account.ts";
import { type Answer, type Api, verdict } from "./api.ts";
import { againMs, wait } from "./waiting.ts";

/** What it takes to read over HTTP as somebody. */
export interface ReaderContext {
  account: Account;
  api: Api;
  recorder: Recorder;
  signal: AbortSignal;
}

/** A GET as somebody; a refused token is replaced before the next one. */
export async function get({ account, api }: ReaderContext, path: string): Promise<Answer> {
  const token = await account.token();
  const answer = await api.request("GET", path, { token });
  if (verdict(answer.code) === "token") account.refused(token);
  return answer;
}

/**
 * Reads the newest page of messages and resolves to its place in the log, trying as long as it is wanted; to
 * undefined when the room may not be read, or it is not wanted any more.
 */
export async function readHead(
  context: ReaderContext,
  room: RoomId,
  wanted: () => boolean,
): Promise<{ epoch: string; head: number } | undefined> {
  for (let tries = 1; wanted() && !context.signal.aborted; tries++) {
    const { status, code, body } = await get(context, `/v1/rooms/${room}/messages?limit=50`);
    if (status === 200) return { epoch: body.epoch, head: body.head };
    if (verdict(code) === "final") return undefined;
    await wait(againMs(tries, context.api.random), context.signal);
  }
  return undefined;
}
