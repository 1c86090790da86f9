/** The load generator: a program that answers the jobs below, see Program. */
import type { DialectName } from "./dialects.ts";
import { answerJobs } from "./lines.ts";
import { type AwaitJob, type WatchJob, watchMessages } from "./load_await.ts";
import { floodBroker, type FloodJob } from "./load_flood.ts";
import { type LoadDevice, MqttDevices, type MqttPaceJob, type MqttSendsJob } from "./load_mqtt.ts";
import { overload, type OverloadJob } from "./load_overload.ts";
import { pace, type PaceJob } from "./load_pace.ts";
import { type ReadingsJob, sendReadings } from "./load_readings.ts";
import { type ChatterJob, Rooms, type Seat } from "./load_rooms.ts";
import { saturate, type SaturateJob } from "./load_saturate.ts";
import { ackedSends, type AckedSendsJob } from "./load_sends.ts";
import { type RideJob, StormClients, type StormJob } from "./load_storm.ts";
import { Receivers, type Receiving } from "./receivers.ts";
import { Senders, type Sending, UnackedSender } from "./senders.ts";

/** What the generator can be asked to do. */
export type LoadJob =
  | { do: "receive"; dialect: DialectName; port: number; room: string; tokens: string[] }
  | { do: "connect"; port: number; tokens: string[]; texts?: number }
  | { do: "tolerate" }
  | { do: "sit"; port: number; seats: Seat[] }
  | { do: "devices"; port: number; devices: LoadDevice[]; to: "receipts" | "events" }
  | WatchJob
  | AwaitJob
  | SaturateJob
  | PaceJob
  | AckedSendsJob
  | OverloadJob
  | ChatterJob
  | RideJob
  | StormJob
  | MqttPaceJob
  | MqttSendsJob
  | ReadingsJob
  | FloodJob;

let tolerant = false;

/** Figures of a run in which something failed would be worth nothing. */
function failed(why: string): void {
  if (tolerant) return;
  // deno-lint-ignore no-console -- standard output carries the answers
  console.error(`The load generator gives up: ${why}`);
  Deno.exit(1);
}

const receivers = new Receivers((why) => failed(`A receiver was closed: ${why}`));
const senders = new Senders(failed);
const rooms = new Rooms(failed);
const riders = new StormClients(failed);
const devices = new MqttDevices(failed);
let receiving: Receiving = receivers;
let sending: Sending = senders;
let watched = watchMessages(receiving);

await answerJobs(async (job: LoadJob) => {
  switch (job.do) {
    case "receive":
      await receivers.join(job.dialect, job.port, job.room, job.tokens);
      if (job.dialect !== "confab") {
        sending = new UnackedSender(job.dialect, receivers.sockets[0]!);
      }
      return;
    case "connect":
      return await senders.open(job.port, job.tokens, job.texts);
    case "tolerate":
      tolerant = true; // being cut off and refused is what is looked at from now on
      return;
    case "sit":
      return await rooms.open(job.port, job.seats);
    case "ride":
      return await riders.open(job);
    case "devices":
      receiving = devices;
      return await devices.connect(job.port, job.devices, job.to);
    case "watch":
      watched = watchMessages(receiving);
      return;
    case "await":
      return await watched(job);
    case "saturate":
      return await saturate(job, receiving, sending);
    case "pace":
      return await pace(job, receiving, sending);
    case "sends":
      return await ackedSends(job, senders);
    case "overload":
      return await overload(job, receivers, senders);
    case "chatter":
      return await rooms.chatter(job);
    case "storm":
      return await riders.storm(job);
    case "mqtt-sends":
      return await devices.sends(job);
    case "mqtt-pace":
      return await devices.pace(job);
    case "readings":
      return await sendReadings(job, devices);
    case "flood":
      return await floodBroker(job);
  }
});
