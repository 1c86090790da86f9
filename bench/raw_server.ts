/**
 * The least that a load generator can be driven with: a server that pushes frames encoded before,
 * and answers sends without looking at more than their id. A program: the first job makes it listen;
 * each of the others pushes events to everybody.
 */
import { peerMessage } from "./dialects.ts";
import { FrameReader, OPCODE } from "./frame_reader.ts";
import { answerJobs } from "./lines.ts";

/** Pushes `frames` frames of `perFrame` events to everybody who is connected. */
export interface PushJob {
  frames: number;
  perFrame: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const SWITCH = encoder.encode(
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
);
const conns = new Set<Deno.TcpConn>();
let next = 1;
let answered = 0;

function frameOf(text: string): Uint8Array {
  const payload = encoder.encode(text);
  const { length } = payload;
  const header = new Uint8Array(length < 126 ? 2 : length < 65536 ? 4 : 10);
  header[0] = 0x80 | OPCODE.text;
  const view = new DataView(header.buffer);
  header[1] = header.length === 2 ? length : header.length === 4 ? 126 : 127;
  if (header.length === 4) view.setUint16(2, length);
  else if (header.length === 10) view.setBigUint64(2, BigInt(length));
  const frame = new Uint8Array(header.length + length);
  frame.set(header);
  frame.set(payload, header.length);
  return frame;
}

async function write(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function push({ frames, perFrame }: PushJob): Promise<void> {
  for (let done = 0; done < frames; done++) {
    const events = Array.from({ length: perFrame }, () => peerMessage(next++));
    const frame = frameOf(`[${events.join(",")}]`);
    await Promise.all([...conns].map((conn) => write(conn, frame)));
  }
}

/** Masks of zeros, as our load generator sends them, leave the payload as it is. */
async function serve(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65536);
  await conn.read(buffer); // the request, which a test client sends at once
  conns.add(conn);
  await write(conn, SWITCH);
  let answers: string[] = [];
  const reader = new FrameReader((_, payload) => {
    const id = /"id":"([^"]+)"/.exec(decoder.decode(payload))?.[1];
    answers.push(`{"type":"ok","id":"${id}","seq":${++answered}}`);
  }, true);
  for (let n; (n = await conn.read(buffer)) !== null;) {
    reader.push(unmasked(buffer.subarray(0, n)));
    if (answers.length > 0) await write(conn, frameOf(`[${answers.join(",")}]`));
    answers = [];
  }
}

/** The frames without the mask's four bytes; frames come whole, as they are short. */
function unmasked(bytes: Uint8Array): Uint8Array {
  const plain = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length;) {
    const short = bytes[at + 1]! & 0x7f;
    const header = short === 126 ? 4 : 2;
    const size = short === 126 ? bytes[at + 2]! * 256 + bytes[at + 3]! : short;
    plain.set(bytes.subarray(at, at + header), length);
    plain[length + 1]! &= 0x7f;
    plain.set(bytes.subarray(at + header + 4, at + header + 4 + size), length + header);
    length += header + size;
    at += header + 4 + size;
  }
  return plain.subarray(0, length);
}

await answerJobs(async (job: PushJob | { listen: true }) => {
  if (!("listen" in job)) return await push(job);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const conn of listener) {
      void serve(conn).catch(() => {}).finally(() => conns.delete(conn));
    }
  })();
  return { port: (listener.addr as Deno.NetAddr).port };
});
