import { startNeonGateway } from "../testing/gateways/neon.ts";
import { startUpstashGateway } from "../testing/gateways/upstash.ts";
import { type Bench, repeat } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { AckedSends } from "./load_sends.ts";
import { startRedis } from "./redis.ts";
import { openStage, tokensOf } from "./stages.ts";

/**
 * What one message costs at the services of the edge: SQL requests at a gateway that speaks Neon's
 * protocol, commands at one that speaks Upstash's, while somebody has joined the room.
 */
export const edgeCost: Bench = async (context) => {
  const { scene, pins, pick, leftOut } = context;
  await using redis = await startRedis(pins.services);
  if (redis === undefined) {
    leftOut("edge cost: redis-server is not there");
    return [];
  }
  const senders = pick(256, 256, 16);
  const people = await scene.people(senders + 1);
  const room = await scene.room(people);
  await using neon = startNeonGateway(scene.databaseUrl);
  await using stack = new AsyncDisposableStack();
  const upstash = stack.adopt(await startUpstashGateway(redis.url), (gateway) => gateway.close());
  await using stage = await openStage(context, {
    DATABASE_DRIVER: "neon",
    NEON_FETCH_ENDPOINT: neon.endpoint,
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
  });
  const { load, port } = stage;
  const tokens = tokensOf(people);
  const listening = tokens.slice(senders);
  await load.ask({ do: "receive", dialect: "confab", port, room, tokens: listening });
  await load.ask({ do: "connect", port, tokens: tokens.slice(0, senders) });
  const cost = async (senders: number, ms: number): Promise<Cost> => {
    const before = { sql: neon.requests(), redis: upstash.commands.length };
    const rooms = Array.from({ length: senders }, () => room);
    const { messages } = await load.ask<AckedSends>({ do: "sends", rooms, ms });
    await new Promise((resolve) => setTimeout(resolve, 200)); // publishes follow the commit
    return {
      sql: (neon.requests() - before.sql) / messages,
      redis: (upstash.commands.length - before.redis) / messages,
    };
  };
  const ms = pick(1500, 300, 50);
  await cost(1, Math.min(ms, 300));
  const single = await repeat(context, "edge cost, one message at a time", () => cost(1, ms));
  const loaded = await repeat(context, `edge cost, ${senders} senders`, () => cost(senders, ms));
  return [
    ...costFigures("one message at a time", single, 1),
    ...costFigures(`${senders} senders`, loaded, 0.1),
  ];
};

interface Cost {
  sql: number;
  redis: number;
}

function costFigures(name: string, costs: Cost[], atMost: number): Figure[] {
  return [
    figure(`${name}: SQL statements`, "/message", costs.map(({ sql }) => sql), {
      goal: { atMost },
    }),
    figure(`${name}: Redis commands`, "/message", costs.map(({ redis }) => redis), {
      goal: { atMost },
    }),
  ];
}
