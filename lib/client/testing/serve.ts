import type { ScriptedServer } from "./scripted_server.ts";
import { ServerSocket } from "./scripted_socket.ts";

/** Serves a scripted server over real HTTP and WebSocket on a free port below 32768. */
export function serve(server: ScriptedServer): { url: string; stop(): Promise<void> } {
  const { port, http } = listen(server);
  const stop = async () => {
    for (const socket of server.sockets) socket.close(4012, "Restarting");
    await http.shutdown();
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

function listen(server: ScriptedServer): { port: number; http: Deno.HttpServer } {
  for (let tries = 0;; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      const options = { port, hostname: "127.0.0.1", onListen: () => {} };
      return { port, http: Deno.serve(options, (request) => handle(server, request)) };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries > 20) throw error;
    }
  }
}

function handle(server: ScriptedServer, request: Request): Response | Promise<Response> {
  if (request.headers.get("upgrade") !== "websocket") return server.rest.answer(request);
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "confab.v1" });
  const end = new ServerSocket(request.url, (event) => {
    if (event instanceof MessageEvent) socket.send(event.data);
    else if (event instanceof CloseEvent) socket.close(Math.max(event.code, 4000), event.reason);
  });
  socket.onopen = () => server.accept(end);
  socket.onmessage = ({ data }) => end.receive(data);
  socket.onclose = () => {
    end.open = false;
    end.joined.clear();
  };
  return response;
}
