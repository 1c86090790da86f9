import type { BenchContext } from "./bench.ts";
import type { DialectName } from "./dialects.ts";
import type { System } from "./figures.ts";
import { mosquittoMissing, startPeerBroker } from "./mosquitto.ts";
import { installPeers, peerProgram } from "./peers.ts";
import type { Measured } from "./process.ts";
import { Program } from "./program.ts";
import { startRedis } from "./redis.ts";
import type { Person } from "./scene.ts";

/** A server and a load generator beside it. */
export interface Stage extends AsyncDisposable {
  server: Measured;
  load: Program;
  port: number;
}

/** A system that is compared. */
export interface Contestant {
  who: System;
  dialect: DialectName;
  open(): Promise<Stage>;
}

/** Confab and a load generator; `env` changes the server's environment. */
export async function openStage(
  { scene, pins }: Pick<BenchContext, "scene" | "pins">,
  env: Record<string, string> = {},
): Promise<Stage & { server: Program }> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new Program("server", pins.server));
  const load = stack.use(new Program("load", pins.load));
  const { port } = await server.ask<{ port: number }>({ env: { ...scene.env, ...env } });
  const opened = stack.move();
  return { server, load, port, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const found = new WeakMap<BenchContext, Promise<Contestant[]>>();

/** The peers that can be had here; of the others it is said why not, once for a run. */
export function findPeers(context: BenchContext): Promise<Contestant[]> {
  let peers = found.get(context);
  if (peers === undefined) found.set(context, peers = lookForPeers(context));
  return peers;
}

async function lookForPeers(context: BenchContext): Promise<Contestant[]> {
  const { pins, log, leftOut } = context;
  if (!context.peers) return [];
  const found: Contestant[] = [];
  try {
    const folder = await installPeers(log);
    const node = (name: string, ...args: string[]) => () => peerStage(context, name, folder, args);
    found.push({ who: "ws", dialect: "ws", open: node("ws") });
    const redis = await startRedis(pins.services);
    if (redis === undefined) leftOut("Socket.IO: redis-server is not there");
    else {
      await redis[Symbol.asyncDispose]();
      const open = () => socketIoStage(context, folder);
      found.push({ who: "Socket.IO, Redis", dialect: "socket.io", open });
    }
  } catch (error) {
    leftOut(`ws and Socket.IO: ${(error as Error).message}`);
  }
  const missing = await mosquittoMissing();
  if (missing !== undefined) leftOut(`Mosquitto: ${missing}`);
  else found.push({ who: "Mosquitto", dialect: "mqtt", open: () => brokerStage(context) });
  return found;
}

/** Tokens for so many receivers: peers ask for none. */
export function noTokens(sockets: number): string[] {
  return Array.from({ length: sockets }, () => "");
}

/** The tokens of people. */
export function tokensOf(people: Person[]): string[] {
  return people.map(({ token }) => token);
}

async function peerStage(
  { pins }: BenchContext,
  name: string,
  folder: string,
  args: string[],
): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new Program(name, pins.server, peerProgram(name, folder, ...args)));
  const load = stack.use(new Program("load", pins.load));
  const { port } = await server.ask<{ port: number }>({});
  const opened = stack.move();
  return { server, load, port, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function socketIoStage(context: BenchContext, folder: string): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use((await startRedis(context.pins.services))!);
  const stage = stack.use(await peerStage(context, "socket_io", folder, [redis.url]));
  const opened = stack.move();
  return { ...stage, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function brokerStage({ pins }: BenchContext): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startPeerBroker(pins.server));
  const load = stack.use(new Program("load", pins.load));
  const opened = stack.move();
  return { server, load, port: server.port, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
