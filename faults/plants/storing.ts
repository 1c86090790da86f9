import type { Plant } from "../plant.ts";

const TABLES = "lib/database/migrations/0001_rooms.sql";
const SENDING = "lib/database/migrations/0013_attachments.sql";
const CHANGING = "lib/database/migrations/0015_command_stays.sql";
const LANE = "lib/chat/lane.ts";

/** Bugs on the way of a message into the log. */
export const STORING: readonly Plant[] = [
  {
    name: "membership from an old snapshot",
    promise: "A removed member stores nothing, also while their send waits for the room's lock",
    edits: [
      {
        file: SENDING,
        find: "  moment timestamptz;\nbegin\n  perform 1 from rooms r where",
        replace: "  moment timestamptz;\n  present members[];\nbegin\n" +
          "  present := array(select x from members x where x.room_id = any (room_ids));\n" +
          "  perform 1 from rooms r where",
      },
      {
        file: SENDING,
        find: "left join members m on m.room_id = t.room and m.principal_id = t.sender",
        replace: "left join unnest(present) m on m.room_id = t.room and m.principal_id = t.sender",
      },
    ],
    scenario: "removed-sender",
    expected: ["authors"],
  },
  {
    name: "a poison row fails its batch",
    promise: "One unlucky send never fails the others",
    edits: [{
      file: LANE,
      find: `if (error.failure === "rejected") return await this.#halve(batch, error);`,
      replace:
        `if (error.failure === "rejected") return failAll(batch, new ConfabError("internal"));`,
    }],
    scenario: "poison",
    expected: ["answered"],
  },
  {
    name: "acknowledged before the commit is safe",
    promise: "An acknowledged send is committed",
    edits: [{
      file: SENDING,
      find: "  moment := date_trunc('milliseconds', clock_timestamp());\n  return query",
      replace: "  moment := date_trunc('milliseconds', clock_timestamp());\n" +
        "  perform set_config('synchronous_commit', 'off', true);\n  return query",
    }],
    scenario: "database-restart",
    expected: ["acknowledged"],
  },
  {
    name: "no deduplication",
    promise: "Sending again never stores twice",
    edits: [
      {
        file: TABLES,
        find: "create unique index entries_client on entries",
        replace: "create index entries_client on entries",
      },
      {
        file: SENDING,
        find: "e.actor_id = t.sender and e.client_id = t.cid limit 1) d on true",
        replace: "e.actor_id = t.sender and e.client_id = t.cid limit 0) d on true",
      },
    ],
    scenario: "lost-answers",
    expected: ["once"],
  },
  {
    name: "a repeat is answered with a new seq",
    promise: "The repeat of a send returns the first seq",
    edits: [{
      file: SENDING,
      find: "case when x.verdict = 'ok' then x.new_seq else x.first_seq end",
      replace: "x.new_seq",
    }],
    scenario: "lost-answers",
    expected: ["acknowledged"],
  },
  {
    name: "published before the commit",
    promise: "Nobody is given an entry that is not in the log",
    edits: [
      {
        file: LANE,
        find: "const TRY_MS = 1900;",
        replace: "const TRY_MS = 1900;\nconst ahead = new Map<string, number>();",
      },
      {
        file: LANE,
        find: "        const startMs = performance.now();\n",
        replace: `        const early: LogEntry[] = [];
        for (const { send } of batch) {
          const next = (ahead.get(send.room) ?? NaN) + 1;
          if (Number.isNaN(next)) continue;
          ahead.set(send.room, next);
          early.push(entryOf(send, next, new Date(), this.options.epoch()));
        }
        if (early.length > 0) this.options.bus.publish(early);
        const startMs = performance.now();
`,
      },
      {
        file: LANE,
        find: "entries.push(entryOf(waiting.send, outcome.seq!, outcome.at!, " +
          "this.options.epoch()));",
        replace: "entries.push(entryOf(waiting.send, outcome.seq!, outcome.at!, " +
          "this.options.epoch()));\n        ahead.set(waiting.input.room, outcome.seq!);",
      },
    ],
    scenario: "small-talk",
    expected: ["content"],
  },
  {
    name: "a deletion keeps the text",
    promise: "After a deletion no read, replay or feed returns the text",
    edits: [{
      file: CHANGING,
      find: "text = case when remove then null else new_text end",
      replace: "text = case when remove then x.text else new_text end",
    }],
    scenario: "small-talk",
    expected: ["content"],
  },
];
