import type { PrincipalId } from "../lib/protocol.ts";
import type { Node } from "./clients/api.ts";
import { wait } from "./clients/waiting.ts";
import type { Cast, CastRoom } from "./workload_cast.ts";

/** Presence may be wrong for 45 s after a crash. */
const BOUND_MS = 45_000;
const AGAIN_MS = 500;

/** What a look at one room through one node came to. */
type Look = "right" | "wrong" | "no such route";

/**
 * Asks every node who is online in every room until all of them say what is so, or the time after
 * healing is over. False when the nodes have no such route. Devices are left out: they are as they
 * said, and a broker that is killed publishes no last will.
 */
export async function probePresence(cast: Cast, healedAt: number): Promise<boolean> {
  const { api: { nodes }, recorder, signal } = cast.context;
  for (;;) {
    const looks: Look[] = [];
    for (const room of cast.rooms) {
      for (const node of nodes) looks.push(await look(cast, room, node));
    }
    if (looks.includes("no such route")) return false;
    const late = recorder.now() > healedAt + BOUND_MS;
    if (late || signal.aborted || looks.every((one) => one === "right")) return true;
    await wait(AGAIN_MS, signal);
  }
}

async function look(cast: Cast, room: CastRoom, node: Node): Promise<Look> {
  const { api, recorder } = cast.context;
  const token = await cast.ownerAccount.token();
  const path = `/v1/rooms/${room.id}/presence`;
  const { status, code, body } = await api.request("GET", path, { token }, node);
  if (status === 404) return "no such route";
  if (code !== "") {
    recorder.count(`presence ${code}`);
    return "wrong";
  }
  const people = peopleOf(cast, room);
  const { state, items } = body as Presence;
  const online = items.filter((one) => one.state === "online" && people.includes(one.principal))
    .map(({ principal }) => principal);
  const expected = people.filter((id) => cast.clientsOf(id).some(({ connected }) => connected));
  const at = recorder.now();
  recorder.presence.push({ at, through: node.name, room: room.id, state, online, expected });
  const right = state === "off" || state === "known" && sameSet(online, expected);
  return right ? "right" : "wrong";
}

interface Presence {
  state: "known" | "unknown" | "off";
  items: { principal: PrincipalId; state: "online" | "offline" }[];
}

function peopleOf({ context: { recorder } }: Cast, { members }: CastRoom): PrincipalId[] {
  const people = recorder.principals.filter(({ kind }) => kind === "user").map(({ id }) => id);
  return people.filter((id) => members.includes(id));
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && new Set([...a, ...b]).size === a.length;
}
