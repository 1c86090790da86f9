import { startNeonGateway } from "../testing/gateways/neon.ts";
import { startUpstashGateway } from "../testing/gateways/upstash.ts";
import { findRedis, TEST_REDIS_URL } from "../testing/services.ts";
import type { Bench } from "./bench.ts";
import { type Figure, figure } from "./figures.ts";
import type { AckedSends } from "./load_sends.ts";
import { Program } from "./program.ts";

const SENDERS = 256;
/** The gateways see only what is sent meanwhile, and the beacon. */
const SINGLE_MS = 2000;

/**
 * What one message costs at the services of the edge: SQL requests at a gateway that speaks Neon's
 * protocol, commands at one that speaks Upstash's, while somebody has joined the room.
 */
export const edgeCost: Bench = async ({ scene, pins, quick, log }) => {
  const redis = await findRedis();
  if (redis.missing !== undefined) {
    log(`  left out: ${redis.name} is not there: ${redis.missing}`);
    return [];
  }
  const people = await scene.people(SENDERS + 1);
  const room = await scene.room(people);
  await using neon = startNeonGateway(scene.databaseUrl);
  const upstash = await startUpstashGateway(TEST_REDIS_URL);
  try {
    await using server = new Program("server", pins.server);
    await using load = new Program("load", pins.load);
    const { url } = await server.ask<{ url: string }>({
      env: {
        ...scene.env,
        DATABASE_DRIVER: "neon",
        NEON_FETCH_ENDPOINT: neon.endpoint,
        UPSTASH_REDIS_REST_URL: upstash.url,
        UPSTASH_REDIS_REST_TOKEN: upstash.token,
        REDIS_PREFIX: `bench-${crypto.randomUUID().slice(0, 8)}:`,
      },
    });
    const port = Number(new URL(url).port);
    const tokens = people.map(({ token }) => token);
    await load.ask({ do: "receive", port, room, tokens: tokens.slice(SENDERS) });
    await load.ask({ do: "connect", port, tokens: tokens.slice(0, SENDERS) });
    const count = async (senders: number, ms: number): Promise<Cost> => {
      const before = { sql: neon.requests(), redis: upstash.commands.length };
      const rooms = Array.from({ length: senders }, () => room);
      const { messages } = await load.ask<AckedSends>({ do: "sends", rooms, ms });
      await new Promise((resolve) => setTimeout(resolve, 200)); // publishes follow the commit
      return {
        sql: (neon.requests() - before.sql) / messages,
        redis: (upstash.commands.length - before.redis) / messages,
      };
    };
    await count(1, 300);
    const single: Cost[] = [];
    const loaded: Cost[] = [];
    for (let run = 0; run < (quick ? 1 : 5); run++) {
      log(`  edge cost, run ${run + 1}`);
      single.push(await count(1, quick ? 300 : SINGLE_MS));
      loaded.push(await count(SENDERS, quick ? 300 : SINGLE_MS));
    }
    return [
      ...costFigures("edge, one message at a time", single, 1),
      ...costFigures(`edge, ${SENDERS} senders`, loaded, 0.1),
    ];
  } finally {
    await upstash.close();
  }
};

interface Cost {
  sql: number;
  redis: number;
}

function costFigures(name: string, costs: Cost[], atMost: number): Figure[] {
  return [
    figure(`${name}: SQL statements`, "/message", costs.map(({ sql }) => sql), { atMost }),
    figure(`${name}: Redis commands`, "/message", costs.map(({ redis }) => redis), { atMost }),
  ];
}
