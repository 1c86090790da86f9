const FIRST_PORT = 20_000;
const PORTS = 12_000;
const TRIES = 50;

/**
 * Listens on a free port of 127.0.0.1 from 20000 to 31999: those from 32768 on are handed to
 * outgoing connections, which collide with listeners.
 */
export function listenBelowEphemeral(): Deno.TcpListener {
  for (let tries = 1;; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      return Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries >= TRIES) throw error;
    }
  }
}
