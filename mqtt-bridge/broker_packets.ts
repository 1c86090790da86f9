import type { Client } from "aedes";
import type { Parser } from "mqtt-packet";

type Fields = Record<string, unknown>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string" && !value.includes("\0");
const isNumber: Check = (value) => typeof value === "number" && value >= 0;
const isFlag: Check = (value) => typeof value === "boolean";
const isBytes: Check = (value) => value instanceof Uint8Array;
const isPairs: Check = (value) =>
  typeof value === "object" && value !== null &&
  Object.entries(value).every(([name, texts]) => isText(name) && [texts].flat().every(isText));

/** MQTT 5, section 2.2.2.2: the properties that clients may send, each at most once but the pairs. */
const PROPERTIES: Record<string, Check> = {
  sessionExpiryInterval: isNumber,
  willDelayInterval: isNumber,
  receiveMaximum: isNumber,
  maximumPacketSize: isNumber,
  topicAliasMaximum: isNumber,
  requestResponseInformation: isFlag,
  requestProblemInformation: isFlag,
  authenticationMethod: isText,
  authenticationData: isBytes,
  payloadFormatIndicator: isFlag,
  messageExpiryInterval: isNumber,
  topicAlias: isNumber,
  contentType: isText,
  responseTopic: isText,
  correlationData: isBytes,
  reasonString: isText,
  userProperties: isPairs,
};

/** The packets that have a message id (a publish only above QoS 0). */
const NUMBERED = new Set([
  ...["puback", "pubrec", "pubrel", "pubcomp"],
  ...["subscribe", "unsubscribe"],
]);

/**
 * True when a packet is not as MQTT says, although mqtt-packet has made one of it: it reads past a
 * wrong length as `null` or -1, and a property that comes twice as a list. Aedes does not expect
 * that. It throws where nobody catches, or hands it on to the bridge, whose connection then ends
 * each time that the message comes again.
 */
export function isMalformed(packet: Fields): boolean {
  const { cmd, messageId, qos, topic, clientId, username = "", will } = packet;
  const numbered = NUMBERED.has(String(cmd)) || (cmd === "publish" && qos !== 0);
  if (numbered && !(typeof messageId === "number" && messageId > 0)) return true;
  if (cmd === "publish" && !isText(topic)) return true;
  if (cmd === "connect" && !(isText(clientId) && isText(username))) return true;
  if (!hasGoodProperties(packet)) return true;
  if (will !== undefined && isMalformedWill(will as Fields)) return true;
  return !filtersOf(packet).every(isFilter);
}

function isMalformedWill(will: Fields): boolean {
  return !isText(will.topic) || Number(will.qos) > 2 || !hasGoodProperties(will);
}

function hasGoodProperties({ cmd, properties }: Fields): boolean {
  return Object.entries(properties ?? {}).every(([name, value]) => {
    if (name === "subscriptionIdentifier") return cmd === "subscribe" && isNumber(value);
    return PROPERTIES[name]?.(value) ?? false;
  });
}

function filtersOf({ subscriptions = [], unsubscriptions = [] }: Fields): unknown[] {
  return [
    ...(subscriptions as Fields[]).map(({ topic }) => topic),
    ...unsubscriptions as unknown[],
  ];
}

/** Aedes keeps what it knows of filters in plain objects: no filter may be called `constructor`. */
function isFilter(filter: unknown): boolean {
  return isText(filter) && !((filter as string) in Object.prototype);
}

/**
 * A response topic that nobody can publish on: the bridge would not use it, as Mosquitto hands it
 * on, and aedes would end the connection (MQTT 5, section 3.3.2.3.5) and lose the message.
 */
function forgetWildcards({ cmd, properties }: Fields): void {
  const { responseTopic } = (properties ?? {}) as Fields;
  if (cmd !== "publish" || typeof responseTopic !== "string") return;
  if (/[+#]/.test(responseTopic)) delete (properties as Fields).responseTopic;
}

/** Ends a client's connection at its first malformed packet, before aedes works on it. */
export function refuseMalformed(client: Client, onRefused: () => void): void {
  // Not declared by aedes: it listens to its parser in its constructor, so we come before it.
  const { _parser: parser } = client as unknown as { _parser: Parser };
  parser.prependListener("packet", (packet: Fields) => {
    if (!isMalformed(packet)) return forgetWildcards(packet);
    onRefused();
    // For aedes, a packet of an unknown kind is a reason to hang up.
    packet.cmd = "malformed";
  });
}
