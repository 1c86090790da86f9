import { ConfabClient } from "../client.ts";
import type { ConfabClientOptions } from "../client.ts";
import { SessionTokens } from "../tokens.ts";
import { ManualClock, until } from "./manual_clock.ts";
import { ScriptedServer } from "./scripted_server.ts";

/** A scripted server, a signed-in client that is connected to it, and their clock. */
export async function scene(options: Partial<ConfabClientOptions> = {}): Promise<{
  clock: ManualClock;
  server: ScriptedServer;
  client: ConfabClient;
  states: string[];
}> {
  const clock = new ManualClock();
  const server = new ScriptedServer(() => clock.now());
  const url = "http://confab.test";
  const tokens = new SessionTokens({ url, fetch: server.fetch, clock });
  await tokens.guest();
  const { fetch, WebSocket } = server;
  const client = new ConfabClient({ url, tokens, fetch, WebSocket, clock, ...options });
  const states: string[] = [];
  client.on("state", (state) => states.push(state.name));
  client.connect();
  await until(() => client.state.name === "connected");
  return { clock, server, client, states };
}
