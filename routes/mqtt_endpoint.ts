/** Where devices reach the MQTT broker. */
export interface MqttEndpoint {
  host: string;
  port: number;
  tls: boolean;
}

const PORTS: Record<string, number> = { "mqtt:": 1883, "mqtts:": 8883, "ws:": 80, "wss:": 443 };

/** Reads an endpoint from a broker's URL; undefined for none. */
export function endpointOf(url: string | undefined): MqttEndpoint | undefined {
  if (url === undefined) return undefined;
  const { protocol, hostname, port } = new URL(url);
  return {
    host: hostname,
    port: port === "" ? PORTS[protocol] ?? 1883 : Number(port),
    tls: protocol === "mqtts:" || protocol === "wss:",
  };
}
