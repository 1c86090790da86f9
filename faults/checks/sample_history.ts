import type {
  ConnectionRecord,
  DeliveryRecord,
  FinalRoom,
  History,
  WriteKind,
  WriteRecord,
} from "../history.ts";
import type { LogEntry, LogEvent, Message, PublicPrincipal } from "../../lib/protocol.ts";

/** The room of a sample. */
export const ROOM = "room";
const EPOCH = "epoch";

function person(id: string): PublicPrincipal {
  return { id, kind: "user", name: id };
}

function at(ms: number): string {
  return new Date(ms).toISOString();
}

/** A growing log with the wishes that made it; each step takes 100 ms and is acknowledged after 20. */
class Story {
  readonly log: LogEntry[] = [];
  readonly writes: WriteRecord[] = [];
  readonly stored: FinalRoom["stored"] = [];
  readonly messages = new Map<number, Message>();
  readonly members = new Map<string, string>();

  add(actor: string, what: WriteKind, via: WriteRecord["via"] = "ws"): void {
    const seq = this.log.length + 1;
    const startedAt = seq * 100;
    const acks = [{ at: startedAt + 20, seq, duplicate: false }];
    this.writes.push({ actor, room: ROOM, via, what, startedAt, tries: 1, acks });
    if ("clientId" in what) this.stored.push({ sender: actor, clientId: what.clientId, seq });
    const event = { actor: person(actor), at: at(startedAt), ...this.#happens(seq, actor, what) };
    this.log.push({ room: ROOM, epoch: EPOCH, seq, event: event as LogEvent });
  }

  #happens(seq: number, actor: string, what: WriteKind): object {
    switch (what.type) {
      case "send": {
        const { text } = what;
        const base = { room: ROOM, seq, sender: person(actor), at: at(seq * 100) };
        const message = { ...base, text, attachments: [], updatedSeq: seq };
        this.messages.set(seq, message);
        return { type: "message.created", message };
      }
      case "edit":
      case "delete": {
        const message = this.messages.get(what.target)!;
        message.updatedSeq = seq;
        if (what.type === "edit") {
          Object.assign(message, { text: what.text, editedAt: at(seq * 100) });
          return { type: "message.edited", target: what.target, message };
        }
        delete message.text;
        message.deletedAt = at(seq * 100);
        return { type: "message.deleted", target: what.target, message };
      }
      case "add":
        this.members.set(what.principal, what.role);
        return {
          type: "member.joined",
          member: { principal: person(what.principal), role: what.role, joinedSeq: seq },
        };
      case "remove":
        this.members.delete(what.principal);
        return { type: "member.removed", principal: person(what.principal) };
      default:
        throw new TypeError(`The sample does not ${what.type}`);
    }
  }
}

/** What a reader was given of the log, 30 ms after each entry was asked for. */
function given(log: readonly LogEntry[], from: number, to: number): DeliveryRecord[] {
  return log.slice(from - 1, to)
    .map((entry) => ({ at: entry.seq * 100 + 30, entry: structuredClone(entry), live: true }));
}

/**
 * A run without a fault in its behaviour: ada adds bob, a device and cy, they talk, a message is
 * edited and another deleted, cy is removed and added again, bob signs out, and a node is killed.
 */
export function sampleHistory(): History {
  const story = new Story();
  const say = (actor: string, text: string, via?: "ws" | "mqtt") =>
    story.add(actor, { type: "send", clientId: `${actor}-${text}`, text }, via);
  for (const principal of ["ada", "bob", "device", "cy"]) {
    const role = principal === "ada" ? "owner" : "member";
    story.add("ada", { type: "add", principal, role }, "rest");
  }
  say("ada", "one"); // 5
  say("bob", "two");
  say("device", "three", "mqtt");
  story.add("ada", { type: "edit", target: 5, clientId: "ada-edit", text: "one more" });
  story.add("bob", { type: "delete", target: 6, clientId: "bob-delete" });
  story.add("ada", { type: "remove", principal: "cy" }, "rest"); // 10
  say("ada", "four");
  story.add("ada", { type: "add", principal: "cy", role: "member" }, "rest"); // 12
  say("cy", "five");
  say("ada", "six"); // 14
  const { log } = story;
  const open = (reader: string, via: ConnectionRecord["via"], openedAt: number) => ({
    ...{ reader, client: `${reader}-${via}`, room: ROOM, via, through: "web1", openedAt },
  });
  const deliveries: ConnectionRecord[] = [
    { ...open("ada", "ws", 450), head: 4, entries: given(log, 5, 10), closedAt: 1035 },
    {
      ...open("ada", "ws", 1050),
      ...{ after: 10, head: 10, recovered: true, entries: given(log, 11, 14) },
    },
    { ...open("bob", "sse", 450), head: 4, entries: given(log, 5, 14) },
    { ...open("device", "mqtt", 350), entries: [...given(log, 3, 8), ...given(log, 7, 14)] },
    { ...open("cy", "ws", 450), head: 4, entries: given(log, 5, 10), evicted: evictedAt(1030) },
    {
      ...open("cy", "ws", 1250),
      ...{ after: 10, head: 12, recovered: true, entries: late(given(log, 11, 14), 1260) },
    },
    { ...open("eve", "ws", 500), entries: [] },
  ];
  return {
    seed: 1,
    principals: ["ada", "bob", "device", "cy", "eve"].map((id) => ({
      id,
      name: id,
      kind: id === "device" ? "device" as const : "user" as const,
      stranger: id === "eve",
    })),
    rooms: [{ id: ROOM, name: "Room" }],
    writes: story.writes,
    deliveries,
    accessEnds: [{ principal: "bob", how: "logout", at: 1500, clients: ["bob-sse"] }],
    faults: [{ class: "node-kill", target: "web1", from: 700, to: 700, evidence: "SIGKILL" }],
    exits: [
      {
        ...{ name: "web1", pid: 7, at: 702, code: 137, signal: "SIGKILL", stderr: "" },
        told: told(700),
      },
    ],
    presence: [
      {
        ...{ at: 4000, through: "web1", room: ROOM, state: "known" as const },
        ...{ online: ["cy", "ada"], expected: ["ada", "cy"] },
      },
    ],
    metering: { meters: [], metrics: [], looks: [] },
    devices: { commands: [], desired: [], reports: [], looks: [], settled: [] },
    convergence: {
      ...{ healedAt: 1400, lastAckAt: 1420 },
      reached: [{ client: "ada-ws", room: ROOM, at: 1430 }],
    },
    final: [{
      ...{ room: ROOM, epoch: EPOCH, head: log.length, log },
      messages: [...story.messages.values()],
      members: [...story.members].map(([id, role]) => ({ id, role })),
      ...{ commands: [], states: [], stored: story.stored },
    }],
  } satisfies History;
}

function evictedAt(at: number) {
  return { at, code: "removed" };
}

function told(at: number) {
  return { signal: "SIGKILL", at };
}

/** Nothing before `from`: what a join replays comes at once. */
function late(entries: DeliveryRecord[], from: number): DeliveryRecord[] {
  return entries.map((delivery) => ({ ...delivery, at: Math.max(from, delivery.at) }));
}
