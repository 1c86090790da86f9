import type { Client } from "aedes";

/** One try to sign in, which a kick in the meantime makes worthless. */
export interface SignInAttempt {
  stands(): boolean;
  end(): void;
}

const ADMINISTRATIVE_ACTION = 0x98;
/** How long after its access has ended a connection's last will may still be published. */
const WILL_MS = 1000;

/** Which live connections belong to whom; aedes itself does not keep the username. */
export class Sessions {
  // Kept after the connection closed: a late delivery must not count as refused, it is queued.
  readonly #owner = new WeakMap<Client, string>();
  readonly #username = new WeakMap<Client, string>();
  readonly #clients = new Map<string, Set<Client>>();
  readonly #attempts = new Map<string, Set<{ username: string; kicked: boolean }>>();
  /** By device: the usernames that the last kick left, and when it was. */
  readonly #kicked = new Map<string, { good: readonly string[]; at: number }>();
  readonly #bridges = new Set<string>();

  constructor(readonly maxPerDevice: number) {}

  /** Begins a sign-in; undefined when the device has as many connections as it may. */
  attempt(client: Client, device: string, username: string): SignInAttempt | undefined {
    const running = this.#attempts.get(device) ?? new Set();
    if (running.size >= this.maxPerDevice || !this.#hasSpace(client, device)) return undefined;
    const attempt = { username, kicked: false };
    this.#attempts.set(device, running.add(attempt));
    return {
      stands: () => !attempt.kicked && this.#hasSpace(client, device),
      end: () => {
        running.delete(attempt);
        if (running.size === 0) this.#attempts.delete(device);
      },
    };
  }

  /** Records a connection that signed in; as nobody: the bridge. */
  open(client: Client, as: { device: string; username: string } | undefined): true {
    if (as === undefined) this.#bridges.add(client.id);
    else {
      const { device, username } = as;
      if (!this.#kicked.get(device)?.good.includes(username)) this.#kicked.delete(device);
      if (client.id !== device) forgetAtDisconnect(client);
      const clients = this.#clients.get(device) ?? new Set();
      this.#clients.set(device, clients.add(client));
      this.#owner.set(client, device);
      this.#username.set(client, username);
      client.conn.once("close", () => this.close(client));
    }
    return true;
  }

  close(client: Client): void {
    const device = this.#owner.get(client);
    if (device === undefined) return;
    const clients = this.#clients.get(device);
    clients?.delete(client);
    if (clients?.size === 0) this.#clients.delete(device);
  }

  /** Ends the connections of a device and the sign-ins under way, but those as one of `good`. */
  kick(device: string, good: readonly string[] = []): void {
    this.#kicked.set(device, { good, at: performance.now() });
    for (const attempt of this.#attempts.get(device) ?? []) {
      if (!good.includes(attempt.username)) attempt.kicked = true;
    }
    for (const client of [...this.#clients.get(device) ?? []]) {
      if (good.includes(this.#username.get(client)!)) continue;
      client.disconnect({ reasonCode: ADMINISTRATIVE_ACTION });
    }
  }

  /** False when a will waited (MQTT 5) while the access of the connection that left it ended. */
  mayLeaveWill(client: Client): boolean {
    const kicked = this.#kicked.get(this.#owner.get(client) ?? "");
    return kicked === undefined || kicked.good.includes(this.#username.get(client)!) ||
      performance.now() < kicked.at + WILL_MS;
  }

  /** The device that a client acts as; undefined for the bridge and for strangers. */
  device(client: Client): string | undefined {
    return this.#owner.get(client);
  }

  isBridge(clientId: string): boolean {
    return this.#bridges.has(clientId);
  }

  /** A connection that replaces one with the same client id needs no more space. */
  #hasSpace(client: Client, device: string): boolean {
    const others = [...this.#clients.get(device) ?? []].filter((other) => other.id !== client.id);
    return others.length < this.maxPerDevice;
  }
}

/** Only the device's own id keeps a session: that bounds the number of sessions kept. */
function forgetAtDisconnect(client: Client): void {
  Object.assign(client, { clean: true, sessionExpiryInterval: 0 });
}
