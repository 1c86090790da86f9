/** A TCP proxy on 127.0.0.1 whose links a test can break. */
export interface Proxy {
  readonly port: number;
  /** Closes every link and refuses new ones (they are closed at once). */
  cut(): void;
  /** Keeps links open and accepts new ones, but carries nothing until `heal()`. */
  blackhole(): void;
  /** Carries again; what a black hole held back arrives late, as after a lost route. */
  heal(): void;
  /** Resolves when at least `count` links have been accepted since the start. */
  accepted(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a proxy to `targetPort` on 127.0.0.1, on a free port below the ephemeral ones. */
export function startProxy(targetPort: number): Proxy {
  const listener = listen();
  const links = new Set<Deno.TcpConn>();
  const waiting = new Set<{ count: number; resolve: () => void }>();
  let count = 0;
  let refusing = false;
  let open = Promise.withResolvers<void>();
  open.resolve();

  async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const length = await from.read(buffer);
        await open.promise;
        if (length === null) break;
        for (let sent = 0; sent < length;) sent += await to.write(buffer.subarray(sent, length));
      }
    } catch {
      // One side is gone, so the other goes too.
    }
    drop(from);
    drop(to);
  }

  function drop(link: Deno.TcpConn): void {
    if (links.delete(link)) link.close();
  }

  async function carry(near: Deno.TcpConn): Promise<void> {
    links.add(near);
    count++;
    for (const one of waiting) if (count >= one.count) one.resolve();
    if (refusing) return drop(near);
    await open.promise;
    const far = await Deno.connect({ hostname: "127.0.0.1", port: targetPort }).catch(() => null);
    if (far === null) return drop(near);
    links.add(far);
    if (!links.has(near)) return drop(far);
    await Promise.all([pump(near, far), pump(far, near)]);
  }

  const carrying = new Set<Promise<void>>();
  const accepting = (async () => {
    for await (const near of listener) {
      const link = carry(near).finally(() => carrying.delete(link));
      carrying.add(link);
    }
  })();

  const dropAll = () => [...links].forEach(drop);
  return {
    port: listener.addr.port,
    cut() {
      refusing = true;
      open.resolve();
      dropAll();
    },
    blackhole() {
      open.resolve(); // so that nobody waits for a promise that is forgotten
      open = Promise.withResolvers<void>();
    },
    heal() {
      refusing = false;
      open.resolve();
    },
    accepted(wanted) {
      if (count >= wanted) return Promise.resolve();
      return new Promise((resolve) => waiting.add({ count: wanted, resolve }));
    },
    async close() {
      listener.close();
      refusing = true;
      open.resolve();
      dropAll();
      await accepting;
      while (carrying.size > 0) {
        dropAll();
        await Promise.all(carrying);
      }
    },
  };
}

/** Ports from 32768 on are handed to outgoing connections, which collide with listeners. */
function listen(): Deno.TcpListener {
  for (let tries = 0;; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      return Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries >= 20) throw error;
    }
  }
}
