import type { PrincipalId } from "../../lib/protocol.ts";
import type { Random } from "../random.ts";
import type { Recorder } from "../recorder.ts";
import type { MqttAccess } from "./mqtt_device.ts";

/** What a part of a device works with. */
export interface DeviceVoice {
  /** The device's name in the records. */
  readonly name: string;
  readonly principal: PrincipalId;
  /** Those of a room hold the placeholder `{room}`. */
  readonly topics: MqttAccess["topics"];
  readonly recorder: Recorder;
  readonly random: Random;
  /** With QoS 1; nothing when there is no connection. */
  publish(topic: string, payload: string, retain?: boolean): void;
  /** Again: the broker gives what it keeps once more. */
  subscribe(filter: string): void;
}

/** Something that a device does beside sending messages and following rooms. */
export interface DevicePart {
  /** Topic filters that it needs, subscribed to after each connection. */
  readonly filters: readonly string[];
  /** A new connection: what has no receipt is said again. */
  connected(): void;
  closed(): void;
  /** Takes a message before the device does; true: it was for this part only. */
  take(topic: string, payload: string, retained: boolean): boolean;
  /** Called ten times a second while the device is connected. */
  tick(): void;
}

/** Adds a part to a device. */
export type DevicePartMaker = (voice: DeviceVoice) => DevicePart;
