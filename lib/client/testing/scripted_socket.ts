import type { ClientFrame, ServerFrame } from "../../protocol.ts";
import type { SocketConstructor, SocketLike } from "../link.ts";

/** The server's end of one socket. */
export class ServerSocket {
  readonly joined = new Set<string>();
  readonly received: ClientFrame[] = [];
  readonly url: string;
  open = true;
  /** Accepts and answers nothing any more, without closing: a half-open link. */
  dead = false;
  onFrame: (frame: ClientFrame) => void = () => {};
  #deliver: (event: Event) => void;

  constructor(url: string, deliver: (event: Event) => void) {
    this.url = url;
    this.#deliver = deliver;
  }

  send(frames: ServerFrame | ServerFrame[]): void {
    const data = JSON.stringify(frames);
    if (this.open && !this.dead) this.#deliver(new MessageEvent("message", { data }));
  }

  /** Closes from the server's side; without a code the link just breaks. */
  close(code = 1006, reason = ""): void {
    if (!this.open) return;
    this.open = false;
    this.joined.clear();
    this.#deliver(new CloseEvent("close", { code, reason }));
  }

  receive(data: string): void {
    if (!this.open || this.dead) return;
    const frame = JSON.parse(data) as ClientFrame;
    this.received.push(frame);
    this.onFrame(frame);
  }

  /** The frames of one type that came in. */
  got<Type extends ClientFrame["type"]>(type: Type): Extract<ClientFrame, { type: Type }>[] {
    return this.received.filter((frame) => frame.type === type) as Extract<
      ClientFrame,
      { type: Type }
    >[];
  }
}

/** A WebSocket class whose connections end in `accept`; everything arrives a microtask later. */
export function socketClass(accept: (socket: ServerSocket) => void): SocketConstructor {
  return class implements SocketLike {
    readyState = 0;
    #target = new EventTarget();
    #server: ServerSocket;

    constructor(url: string) {
      this.#server = new ServerSocket(url, (event) =>
        queueMicrotask(() => {
          if (event.type === "close") this.readyState = 3;
          this.#target.dispatchEvent(event);
        }));
      queueMicrotask(() => {
        if (this.readyState !== 0) return;
        this.readyState = 1;
        accept(this.#server);
      });
    }

    send(data: string): void {
      queueMicrotask(() => this.#server.receive(data));
    }

    close(): void {
      this.readyState = 3;
      this.#server.open = false;
      this.#server.joined.clear();
    }

    addEventListener(type: string, listener: (event: Event) => void): void {
      this.#target.addEventListener(type, listener);
    }
  };
}
