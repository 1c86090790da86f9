import { assert, assertEquals } from "@std/assert";
import type { Database } from "../lib/database/mod.ts";
import { type RawAnswer, rawGet, rawJson, rawUpgrade } from "../testing/raw_http.ts";
import { testWith } from "../testing/services.ts";
import { range } from "../testing/subscriber.ts";
import {
  serverService,
  startTestServer,
  type TestServer,
  untilConnections,
} from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

/** Sees that an answer says the node is overloaded, and how often it has said so for `reason`. */
async function refusedFor(
  server: TestServer,
  reason: string,
  answer: RawAnswer,
  times = 1,
): Promise<void> {
  const { status, headers } = answer;
  const problem = await rawJson(answer);
  assertEquals([status, problem.code, problem.status], [503, "overloaded", 503]);
  assertEquals(headers.get("content-type"), "application/problem+json");
  assert(problem.retryAfter >= 2 && problem.retryAfter <= 10, `${problem.retryAfter} s`);
  assertEquals(headers.get("retry-after"), `${Math.ceil(problem.retryAfter)}`);
  assertEquals(counted(server, reason), times);
}

function counted(server: TestServer, reason: string): number {
  const line = `confab_refused_connects_total{reason="${reason}"} `;
  const lines = server.services.metrics.render().split("\n");
  return Number(lines.find((one) => one.startsWith(line))?.slice(line.length) ?? 0);
}

const bearer = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` });

testWith(serverService, "a node with all its sockets refuses sockets and streams", async () => {
  await using server = await startTestServer({ LIMIT_SOCKETS: "1" });
  const ada = await server.api.register();
  const room = await server.api.room(ada);
  const first = await server.connect(ada);
  {
    using socket = await rawUpgrade(server.url, { headers: bearer(ada) });
    await refusedFor(server, "sockets", socket);
    using stream = await rawGet(`${server.url}/v1/rooms/${room}/stream`, bearer(ada));
    await refusedFor(server, "sockets", stream, 2);
    // Everything else is served.
    assertEquals((await server.api.log(ada, room, 0)).length, 1);
  }
  await first.close();
  await untilConnections(server, 0);
  await using _second = await server.connect(ada);
});

testWith(
  serverService,
  "who is refused has spent nothing: no ticket, no proof of who it is",
  async () => {
    await using server = await startTestServer({ LIMIT_SOCKETS: "1" });
    const ada = await server.api.register();
    const first = await server.connect(ada);
    const ticket = await server.api.ticket(ada);
    for (const [i, query] of [{ ticket: "nonsense" }, { ticket }, {}].entries()) {
      using answer = await rawUpgrade(server.url, { query });
      await refusedFor(server, "sockets", answer, i + 1);
    }
    await first.close();
    await untilConnections(server, 0);
    using later = await rawUpgrade(server.url, { query: { ticket } });
    assertEquals(later.status, 101);
  },
);

testWith(serverService, "a node takes so many new connections at once", async () => {
  await using server = await startTestServer({ LIMIT_CONNECTS_PER_SECOND: "1" });
  const ada = await server.api.register();
  // Those who cannot say who they are do not take the places of others.
  for (const _ of range(1, 20)) {
    using answer = await rawUpgrade(server.url, { query: { ticket: "nonsense" } });
    assertEquals(answer.status, 401);
  }
  const answers = await Promise.all(
    range(1, 9).map(() => rawUpgrade(server.url, { headers: bearer(ada) })),
  );
  const refused = answers.filter(({ status }) => status !== 101);
  // Four, and one for each second that this took.
  assert(refused.length >= 1 && refused.length <= 5, `${refused.length} refused`);
  assertEquals(counted(server, "connects"), refused.length);
  await refusedFor(server, "connects", refused[0]!, refused.length);
  for (const answer of answers) answer[Symbol.dispose]();
});

testWith(serverService, "a node that is short of memory takes no new connections", async () => {
  // Less than any process that runs this has.
  await using server = await startTestServer({ LIMIT_RSS_BYTES: "67108864" });
  const ada = await server.api.register();
  using socket = await rawUpgrade(server.url, { headers: bearer(ada) });
  await refusedFor(server, "memory", socket);
});

testWith(serverService, "a node whose event loop is late takes no new connections", async () => {
  await using server = await startTestServer({ LIMIT_LOOP_DELAY_MS: "100" });
  const ada = await server.api.register();
  await until("the loop is in time", async () => {
    using socket = await rawUpgrade(server.url, { headers: bearer(ada) });
    return socket.status === 101;
  });
  const before = counted(server, "event_loop");
  const busyUntil = performance.now() + 1200;
  while (performance.now() < busyUntil);
  await until(
    "the delay is measured",
    () =>
      Number(
        /^confab_event_loop_delay_seconds (\S+)/m.exec(server.services.metrics.render())?.[1],
      ) >
        0.1,
  );
  {
    using socket = await rawUpgrade(server.url, { headers: bearer(ada) });
    await refusedFor(server, "event_loop", socket, before + 1);
  }
  await until("the loop is in time again", async () => {
    using socket = await rawUpgrade(server.url, { headers: bearer(ada) });
    return socket.status === 101;
  });
});

testWith(serverService, "a node where many catch up takes no new connections", async () => {
  await using server = await startTestServer({ LIMIT_JOINS: "4" });
  const { api } = server;
  const ada = await api.register();
  const rooms = await Promise.all(range(1, 5).map(() => api.room(ada)));
  await using socket = await server.connect(ada);
  const opened = Promise.withResolvers<void>();
  const { db } = server.services;
  const query: Database["query"] = db.query.bind(db);
  db.query = async (text, values, options) => {
    if (text.includes("log_page")) await opened.promise;
    return await query(text, values, options);
  };
  const joins = rooms.slice(0, 4).map((room) => socket.ok({ type: "join", room }));
  await until(
    "the joins wait",
    () => server.services.metrics.render().includes("\nconfab_joins 4\n"),
  );
  {
    using refused = await rawUpgrade(server.url, { headers: bearer(ada) });
    await refusedFor(server, "joins", refused);
  }
  const fifth = await socket.ask({ type: "join", room: rooms[4] });
  assertEquals([fifth.type, fifth.code], ["error", "overloaded"]);
  assert(fifth.retryAfter >= 2);
  opened.resolve();
  await Promise.all(joins);
  await using _second = await server.connect(ada);
  await socket.ok({ type: "join", room: rooms[4] });
});
