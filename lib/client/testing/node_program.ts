// Run by Node in a test: says three things in one room and prints how the room reads afterwards.
import { ConfabClient, SessionTokens } from "../mod.ts";

const url = (globalThis as unknown as { process: { argv: string[] } }).process.argv[2]!;
const tokens = new SessionTokens({ url });
await tokens.guest();
const client = new ConfabClient({ url, tokens });
const states: string[] = [];
client.on("state", ({ name }) => states.push(name));
client.connect();
const room = client.room("r");
await room.load();
let last = 0;
for (const text of ["one", "two", "three"]) last = (await room.send({ text })).seq;
// The answer to a send may come before the entry itself.
await new Promise<void>((resolve) => {
  const check = () => (room.cursor?.seq ?? 0) >= last && resolve();
  room.on("entry", check);
  check();
});
const texts = room.timeline.messages.map(({ text }) => text);
client.close();
// deno-lint-ignore no-console -- the program's result
console.log(JSON.stringify({ texts, states, head: room.cursor?.seq }));
