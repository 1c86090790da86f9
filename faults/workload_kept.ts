import type { DeviceState, PrincipalId, RoomId } from "../lib/protocol.ts";
import { wrongState } from "./checks/states_kept.ts";
import { wait } from "./clients/waiting.ts";
import type { StateSettledRecord } from "./history_devices.ts";
import type { Recorder } from "./recorder.ts";
import type { Cast } from "./workload_cast.ts";
import { listed } from "./workload_final.ts";

const LOOK_MS = 10_000;
const AGAIN_MS = 250;
/** Every device has asked the broker again by then what it keeps. */
const SILENT_MS = 4000;

/** What a look at the states of devices works with. */
export interface StateLook {
  recorder: Recorder;
  signal: AbortSignal;
  /** Whose access has ended. */
  gone(principal: PrincipalId): boolean;
}

/**
 * Compares what the database, the broker and the devices say of their states in these rooms, until
 * all agree or ten seconds are over. The last look is recorded.
 */
export async function lookAtStates(
  reader: Pick<Cast, "call">,
  rooms: readonly RoomId[],
  { recorder, signal, gone }: StateLook,
): Promise<void> {
  const from = recorder.now();
  for (;;) {
    const records: StateSettledRecord[] = [];
    for (const room of rooms) {
      const states = await listed<DeviceState>(reader, `/v1/rooms/${room}/devices?limit=50`);
      const present = states.filter(({ device }) => !gone(device.id));
      records.push(...present.map((state) => settled(recorder, room, state, from)));
    }
    recorder.devices.settled = records;
    const right = records.every((record) => wrongState(record) === undefined);
    if (right || recorder.now() > from + LOOK_MS || signal.aborted) return;
    await wait(AGAIN_MS, signal);
  }
}

/** What is known of one state now. Devices ask the broker again and again what it keeps. */
function settled(
  recorder: Recorder,
  room: RoomId,
  state: DeviceState,
  from: number,
): StateSettledRecord {
  const { desired, reports } = recorder.devices;
  const { id: device } = state.device;
  const own = (one: { device: PrincipalId; room: RoomId }) =>
    one.device === device && one.room === room;
  const isGiven = desired.some((one) => own(one) && one.retained && one.at > from);
  // Where nothing is kept nothing is given: what was given last may have gone without a word
  const mayBeKept = state.desired === undefined && recorder.now() < from + SILENT_MS;
  const kept = isGiven || mayBeKept ? desired.findLast(own)?.given : undefined;
  const said = reports.findLast(own)?.reported;
  return {
    ...{ device, room, at: recorder.now(), state },
    ...(kept === undefined ? {} : { kept }),
    ...(said === undefined ? {} : { said }),
  };
}
