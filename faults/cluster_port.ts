import { freePort } from "../testing/mosquitto.ts";
import { WorldPostgres } from "./cluster_postgres.ts";
import { PortTakenError, type WorldProcess } from "./cluster_process.ts";

/** Starts of a server whose port somebody else took between the look and the use. */
const PORT_TRIES = 5;

/** Makes and starts a server, on another port when somebody takes the first one meanwhile. */
export async function onFreePort(make: (port: number) => Promise<WorldProcess>): Promise<void> {
  for (let tries = 1;; tries++) {
    const server = await make(freePort());
    try {
      return await server.start();
    } catch (error) {
      if (server instanceof WorldPostgres) await server.disconnect();
      if (!(error instanceof PortTakenError) || tries >= PORT_TRIES) throw error;
    }
  }
}

/** The port in the URL of a server. */
export function portOf({ url }: { url: string }): () => number {
  const port = Number(new URL(url).port);
  return () => port;
}
