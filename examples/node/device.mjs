/**
 * A device on Confab, for Node: each line of its standard input becomes a message in a room, once,
 * and every entry of every room that it is in comes out, in order. A line that is a JSON object is
 * sent as data, any other as text. It may be killed and cut off at any moment.
 *
 * It says what happens as one JSON object a line: `{online}`, `{taken}` (on the disk: it will be
 * stored), `{receipt, room, seq, duplicate}` (it is stored), `{refused, code}`, `{entry}`.
 */
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import mqtt from "mqtt";
import { Follower } from "./follower.mjs";
import { Outbox } from "./outbox.mjs";
import { State } from "./state.mjs";

const {
  CONFAB_HOST: host = "127.0.0.1",
  CONFAB_PORT: port = "1883",
  CONFAB_TLS: tls = "",
  CONFAB_DEVICE: device,
  CONFAB_USERNAME: username = device,
  CONFAB_SECRET: secret,
  CONFAB_ROOM: target,
  CONFAB_STATE: folder = "state",
} = process.env;
for (const [name, value] of Object.entries({ device, secret, room: target })) {
  if (value) continue;
  process.stderr.write(`CONFAB_${name.toUpperCase()} is not set\n`);
  process.exit(2);
}

/** Where everything of this device is published. */
const own = `confab/d/${device}/`;
/** Errors that pass: the message is repeated with its key. Others refuse it for good. */
const PASSING = ["rate_limited", "overloaded", "unavailable", "restarting", "internal"];
const TICK_MS = 250;

const state = new State(folder);
const outbox = new Outbox(folder);
const followers = new Map();
/** Keys are a boot number and a counter: never the same twice, whatever happened before. */
const boot = state.nextNumber();
let counter = 0;
let requests = 0;
/** The connection while it is usable. */
let client;
let session;
let stopping = false;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const newKey = () => `${boot}-${++counter}`;

function publish(topic, payload, options = {}) {
  client.publish(`${own}${topic}`, JSON.stringify(payload), { qos: 1, ...options }, () => {
    // An error is no news: whatever matters is repeated until its answer comes.
  });
}

function sendWhatIsDue() {
  if (client === undefined) return;
  for (const { key, room, body } of outbox.due()) {
    publish(`rooms/${room}/send`, { ...body, clientId: key });
  }
}

function followerOf(room) {
  let follower = followers.get(room);
  if (follower === undefined) {
    follower = new Follower({
      cursor: state.cursor(room),
      save: (cursor) => state.setCursor(room, cursor),
      handle: (entry) => say({ entry }),
      ask(request) {
        if (client === undefined) return undefined;
        const requestId = `${boot}-${++requests}`;
        publish("requests", { requestId, room, ...request });
        return requestId;
      },
    });
    followers.set(room, follower);
  }
  return follower;
}

function received(topic, payload) {
  const name = topic.slice(own.length);
  const [, room, kind] = /^rooms\/([^/]+)\/(events|head)$/.exec(name) ?? [];
  if (kind === "head" && payload.length === 0) return followers.delete(room); // not a member any more
  const value = JSON.parse(payload.toString());
  if (kind === "events") followerOf(room).event(value);
  else if (kind === "head") followerOf(room).head(value);
  else if (name === "receipts") stored(value);
  else if (name === "errors") refused(value);
  else if (name === "responses") { for (const one of followers.values()) one.response(value); }
}

function stored({ clientId: key, room, seq, duplicate }) {
  if (!outbox.has(key)) return; // the answer to a repeat
  outbox.done(key);
  say({ receipt: key, room, seq, duplicate });
  sendWhatIsDue();
}

function refused({ clientId: key, code, message, retryAfter = 2 }) {
  if (key === undefined || !outbox.has(key)) return say({ refused: null, code, message });
  if (PASSING.includes(code)) return outbox.hold(key, retryAfter * 1000);
  if (code === "client_id_reused") return outbox.rename(key, newKey());
  outbox.done(key);
  say({ refused: key, code, message });
}

/**
 * One connection from its beginning to its end; true when it could be used. Its number is in its
 * birth and in its last will.
 */
async function connection() {
  session = state.nextNumber();
  const will = JSON.stringify({ online: false, session });
  const connecting = mqtt.connect({
    protocol: tls === "1" ? "mqtts" : "mqtt",
    host,
    port: Number(port),
    clientId: device,
    username,
    password: secret,
    protocolVersion: 4,
    clean: true,
    keepalive: 30,
    connectTimeout: 10_000,
    reconnectPeriod: 0, // a new connection needs a new last will: see main()
    will: { topic: `${own}status`, payload: will, qos: 1, retain: true },
  });
  const closed = new Promise((resolve) => {
    connecting.once("close", resolve);
    connecting.on("error", ({ message }) => {
      process.stderr.write(`${message}\n`);
      connecting.end(true, resolve);
    });
  });
  connecting.on("message", (topic, payload) => {
    try {
      received(topic, payload);
    } catch (error) {
      process.stderr.write(`${topic}: ${error.message}\n`);
    }
  });
  const topics = ["receipts", "errors", "responses", "rooms/+/events", "rooms/+/head"];
  connecting.once("connect", () => {
    connecting.subscribe(topics.map((name) => `${own}${name}`), { qos: 1 }, (error) => {
      if (error) return connecting.end(true);
      client = connecting;
      outbox.restart();
      publish("status", { online: true, session }, { retain: true });
      say({ online: session });
      sendWhatIsDue();
      for (const follower of followers.values()) follower.tick();
    });
  });
  await closed;
  const wasOnline = client !== undefined;
  client = undefined;
  for (const follower of followers.values()) follower.disconnected();
  return wasOnline;
}

async function readLines() {
  for await (const untrimmed of createInterface({ input: process.stdin })) {
    const line = untrimmed.trim();
    if (line === "") continue;
    await outbox.space();
    const key = newKey();
    outbox.add(key, target, bodyOf(line));
    say({ taken: key, line });
    sendWhatIsDue();
  }
}

function bodyOf(line) {
  try {
    const data = JSON.parse(line);
    if (typeof data === "object" && data !== null && !Array.isArray(data)) return { data };
  } catch {
    // Text
  }
  return { text: line };
}

/** Says goodbye: no last will is sent for a connection that ends by itself. */
async function stop() {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.exit(0), 2_000);
  if (client !== undefined) {
    publish("status", { online: false, session }, { retain: true });
    client.end();
    await once(client, "close");
  }
  process.exit(0);
}

async function main() {
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  setInterval(() => {
    sendWhatIsDue();
    for (const follower of followers.values()) follower.tick();
  }, TICK_MS);
  readLines();
  for (let tries = 0; !stopping;) {
    if (await connection()) tries = 0;
    if (stopping) return;
    // Half of the time at random, so that a thousand devices do not come back in one moment.
    const wait = Math.min(1000 * 2 ** tries, 30_000) * (0.5 + Math.random() / 2);
    tries = Math.min(tries + 1, 5);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

await main();
