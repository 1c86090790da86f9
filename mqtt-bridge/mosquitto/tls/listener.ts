import { IN_CONTAINER, mosquittoConf } from "../conf.ts";

/** Where devices connect with TLS, and with which certificate. */
export interface TlsListenerOptions {
  /** `port` or `port address`, as in the option of the same name. */
  listener: string;
  /** The server's certificate, followed by those between it and the authority, as PEM. */
  certfile: string;
  /** Its private key, readable for the user that Mosquitto runs as. */
  keyfile: string;
}

/**
 * A second listener, to be added to the shipped configuration: devices speak TLS to it, and only
 * TLS. Credentials, rights and queues are those of the first one, which stays for the bridge.
 * Mosquitto 2.0 offers TLS 1.2 and 1.3 here, nothing older.
 */
export function tlsListener({ listener, certfile, keyfile }: TlsListenerOptions): string {
  return `
# Made by \`deno run mqtt-bridge/mosquitto/tls/listener.ts\`; a test compares it with the code.
# For devices. The listener above is the bridge's: do not let it be reached from outside.
listener ${listener}
certfile ${certfile}
keyfile ${keyfile}
max_connections 10000
`;
}

/** Paths in the container, where a folder with the certificates is mounted. */
export const TLS_IN_CONTAINER: TlsListenerOptions = {
  listener: "8883",
  certfile: "/mosquitto/certs/server.crt",
  keyfile: "/mosquitto/certs/server.key",
};

/** The whole configuration for the container, with both listeners. */
export function mosquittoConfWithTls(): string {
  return mosquittoConf(IN_CONTAINER) + tlsListener(TLS_IN_CONTAINER);
}

if (import.meta.main) {
  await Deno.stdout.write(new TextEncoder().encode(mosquittoConfWithTls()));
}
