import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { chatScene, newPrincipal } from "../../testing/chat.ts";
import { range } from "../../testing/subscriber.ts";
import type { Principal } from "../auth/principal.ts";
import { ConfabError } from "../errors.ts";
import type { LogEntry, Member, Message, RoomId, RoomSettings } from "../protocol.ts";
import type { ChatContext } from "./context.ts";
import { joinRoom, leaveRoom, listMembers, removeMember, setMember } from "./members.ts";
import { deleteMessage, editMessage, listMessages, readLog, sendMessage } from "./messages.ts";
import { changeRoom, createRoom, getRoom } from "./rooms.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

/** What a client holds of a room. */
interface Page {
  head: number;
  messages: Map<number, Message>;
  members: Map<string, Member>;
  settings: RoomSettings;
}

/** What a client reads when it opens a room; the first read says where its log begins. */
async function readPage(chat: ChatContext, viewer: Principal, room: RoomId): Promise<Page> {
  const { head, messages } = await listMessages(chat, viewer, room, {}, 200);
  const members = await listMembers(chat, viewer, room, { limit: 200 });
  const { name, topic, visibility, metadata } = await getRoom(chat, viewer, room);
  return {
    head,
    messages: new Map(messages.map((message) => [message.seq, message])),
    members: new Map(members.items.map((member) => [member.principal.id, member])),
    settings: { name, topic, visibility, metadata },
  };
}

/** What the protocol asks of clients: changes of a message count by `updatedSeq` alone. */
function apply(page: Page, { event }: LogEntry): void {
  switch (event.type) {
    case "message.created":
    case "message.edited":
    case "message.deleted": {
      const { message } = event;
      const known = page.messages.get(message.seq);
      if (known === undefined || known.updatedSeq < message.updatedSeq) {
        page.messages.set(message.seq, message);
      }
      break;
    }
    case "member.joined":
    case "member.role":
      page.members.set(event.member.principal.id, event.member);
      break;
    case "member.left":
    case "member.removed":
      page.members.delete(event.principal.id);
      break;
    case "room.updated":
      page.settings = event.settings;
  }
}

function comparable({ messages, members, settings }: Page) {
  return {
    messages: [...messages.values()].toSorted((a, b) => a.seq - b.seq),
    members: [...members.values()].toSorted((a, b) => a.joinedSeq - b.joinedSeq),
    settings,
  };
}

const people = fc.nat(3);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send" as const), who: people }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("edit" as const, "delete" as const),
      who: people,
      target: fc.nat(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("join" as const, "leave" as const, "remove" as const, "role" as const),
      who: people,
      role: fc.constantFrom("admin" as const, "member" as const, "reader" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("update" as const), n: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("page" as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

Deno.test("Any page and any replay converge to a fresh read (P4)", strict, async () => {
  await using scene = await chatScene();
  const { chat, db } = scene;
  const owner = await newPrincipal(db);
  const others = await Promise.all(range(1, 3).map(() => newPrincipal(db)));
  const crew = [owner, ...others];
  let n = 0;
  let changes = 0;
  const scenario = async (actions: Action[], cursors: number[]) => {
    const { id } = await createRoom(chat, owner, { name: "Room", visibility: "public" });
    for (const one of others) await joinRoom(chat, one, id);
    const pages: Page[] = [await readPage(chat, owner, id)];
    const secrets = new Map<number, string[]>();
    const deleted = new Set<number>();
    const act = async (a: Action): Promise<void> => {
      switch (a.kind) {
        case "send": {
          const text = `secret-${++n};`;
          const file = { url: `https://files.example/${text}` };
          const body = [{ text }, { text, attachments: [file] }, { attachments: [file] }][n % 3]!;
          const { seq } = await sendMessage(chat, crew[a.who]!, id, `c${n}`, body);
          secrets.set(seq, [text]);
          break;
        }
        case "edit": {
          const target = 5 + a.target % 30;
          const text = `secret-${++n};`;
          await editMessage(chat, crew[a.who]!, id, target, { text, data: { n } });
          secrets.get(target)!.push(text);
          break;
        }
        case "delete": {
          const target = 5 + a.target % 30;
          await deleteMessage(chat, crew[a.who]!, id, target);
          deleted.add(target);
          break;
        }
        case "join":
          await joinRoom(chat, crew[a.who]!, id);
          break;
        case "leave":
          await leaveRoom(chat, crew[a.who]!, id);
          break;
        case "remove":
          if (a.who !== 0) await removeMember(chat, owner, id, crew[a.who]!.id);
          break;
        case "role":
          if (a.who !== 0) await setMember(chat, owner, id, crew[a.who]!.id, a.role);
          break;
        case "update":
          await changeRoom(chat, owner, id, { topic: `${a.n}`, metadata: { n: a.n } });
          break;
        case "page":
          pages.push(await readPage(chat, owner, id));
      }
      changes++;
    };
    for (const a of actions) {
      await act(a).catch((error) => {
        if (!(error instanceof ConfabError) || error.code === "internal") throw error;
      });
    }
    const fresh = await readPage(chat, owner, id);
    const whole = await readLog(chat, owner, id, { after: 0 }, 1000);
    assertEquals(whole.entries.map(({ seq }) => seq), range(1, fresh.head));
    pages.push(fresh);
    for (const [i, page] of pages.entries()) {
      const after = (cursors[i % cursors.length] ?? 0) % (page.head + 1);
      const { entries } = await readLog(chat, owner, id, { after }, 1000);
      for (const entry of entries) apply(page, entry);
      // Delivered twice, as after a reconnect.
      for (const entry of entries) apply(page, entry);
      assertEquals(comparable(page), comparable(await readPage(chat, owner, id)));
    }
    const shown = JSON.stringify([whole, [...fresh.messages]]);
    for (const target of deleted) {
      for (const text of secrets.get(target)!) assert(!shown.includes(text), text);
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 10, maxLength: 60, size: "max" }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 9 }),
      scenario,
    ),
    { numRuns: 20, endOnFailure: true },
  );
  assert(changes > 200, `${changes} changes`);
});
