import { assertEquals } from "@std/assert";
import { ConfabClient, type LogEntry, SessionTokens } from "../lib/client/mod.ts";
import { SUBPROTOCOL } from "../lib/protocol.ts";
import { testWith } from "../testing/services.ts";
import { serverService, startTestServer, untilConnections } from "../testing/test_server.ts";
import { until } from "../testing/until.ts";

testWith(
  serverService,
  "an entry of a type that a newer node wrote passes, with who and when, to everybody",
  async () => {
    await using server = await startTestServer();
    const { api, url, backend } = server;
    const tokens = new SessionTokens({ url });
    const me = await tokens.register({ username: "ada", password: "correct horse battery" });
    const ada = {
      id: me.id,
      name: me.name,
      username: "ada",
      token: await tokens.accessToken({ refresh: false }),
    };
    const room = await api.room(ada);
    const write = (type: string) =>
      backend.database.db.query(
        `select append_entry($1, $2, $3, 1, $3, '{"question": "?"}')`,
        [room, type, me.id],
      );
    await write("poll.opened");
    const { seq } = await api.send(ada, room, "one");

    const pages = await api.log(ada, room);
    assertEquals(pages.map(({ event }) => event.type).slice(1), ["poll.opened", "message.created"]);
    const { at, ...event } = pages[1]!.event;
    const actor = { id: me.id, kind: "user", name: me.name };
    assertEquals<unknown>([typeof at, event], ["string", { type: "poll.opened", actor }]);

    const client = new ConfabClient({ url, tokens });
    client.connect();
    const follower = client.room(room);
    const seen: LogEntry[] = [];
    const members: unknown[] = [];
    follower.on("entry", (entry) => seen.push(entry));
    follower.on("member", (event) => members.push(event));
    const end = new AbortController();
    try {
      await follower.load();
      const stream = read(`${url}/v1/rooms/${room}/stream?after=1`, ada.token, end.signal);
      await untilConnections(server, 2);
      // What the bus does not bring is read from the table, as after a newer node's entry.
      await write("member.waved");
      await api.send(ada, room, "two");
      await until("the socket has passed it", () => seen.at(-1)?.seq === seq + 2);
      assertEquals(seen.map(({ event }) => event.type), ["member.waved", "message.created"]);
      assertEquals(members, [], "it is no member that anybody knows");
      await until("the stream has passed it", () => stream.seqs().length === 4);
      assertEquals(stream.seqs(), [2, 3, 4, 5]);

      const socket = new WebSocket(
        `${url.replace("http", "ws")}/v1/socket?ticket=${await api.ticket(ada)}`,
        SUBPROTOCOL,
      );
      const frames: string[] = [];
      socket.onmessage = ({ data }) => frames.push(data);
      socket.onopen = () => socket.send(JSON.stringify({ type: "join", id: "1", room, after: 1 }));
      await until("the replay has passed it", () => frames.join().includes(`"seq":${seq + 2}`));
      assertEquals(
        [...frames.join().matchAll(/"(poll\.opened|member\.waved)"/g)].map(([, type]) => type),
        ["poll.opened", "member.waved"],
      );
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
    } finally {
      end.abort();
      client.close();
      await untilConnections(server, 0);
    }
  },
);

/** Reads an event stream, of which tests elsewhere say that nothing undocumented comes. */
function read(url: string, token: string, signal: AbortSignal) {
  let text = "";
  void (async () => {
    const headers = { authorization: `Bearer ${token}` };
    const { body } = await fetch(url, { headers, signal });
    for await (const part of body!.pipeThrough(new TextDecoderStream())) text += part;
  })().catch(() => {});
  return { seqs: () => [...text.matchAll(/^id: \w+:(\d+)$/gm)].map(([, seq]) => Number(seq)) };
}
