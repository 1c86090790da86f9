import type { DeviceState, Metadata, PrincipalId, RoomId } from "../protocol.ts";
import type { Page, StateAnswer } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { repeat } from "./repeat.ts";
import type { RestClient } from "./rest.ts";

/** Given with a wish: it is refused with `version_conflict` when there is another version by now. */
export interface WishOptions {
  /** The `desiredVersion` that one saw. */
  version?: number;
}

/** The devices of one room and their states. Made by {@link Room}. */
export class RoomDevices {
  #room: RoomId;
  #rest: RestClient;
  #clock: Clock;

  constructor(room: RoomId, { rest, clock }: { rest: RestClient; clock: Clock }) {
    this.#room = room;
    this.#rest = rest;
    this.#clock = clock;
  }

  /**
   * A page of the devices with their states. Read it when the room is `live`, anew after every
   * reconnect; in between the events `desired` and `reported` tell what changes.
   */
  list(next?: string | null): Promise<Page<DeviceState>> {
    return this.#rest.roomDevices(this.#room, next);
  }

  /** The state of one device. */
  state(device: PrincipalId): Promise<DeviceState> {
    return this.#rest.deviceState(this.#room, device);
  }

  /** Wishes for a whole state. Repeated until answered, 30 s at most; made once. */
  setDesired(
    device: PrincipalId,
    desired: Metadata,
    options: WishOptions = {},
  ): Promise<StateAnswer> {
    const wish = { desired, ...options, clientId: crypto.randomUUID() };
    return repeat(this.#clock, () => this.#rest.setDesired(this.#room, device, wish));
  }

  /** Changes a part of what is wished for, by a merge patch: null removes. Repeated as above. */
  changeDesired(
    device: PrincipalId,
    patch: Metadata,
    options: WishOptions = {},
  ): Promise<StateAnswer> {
    const wish = { desired: patch, ...options, clientId: crypto.randomUUID() };
    return repeat(this.#clock, () => this.#rest.changeDesired(this.#room, device, wish));
  }
}
