import type { Metadata, PrincipalId, RoomId } from "../protocol.ts";
import type { MessageAnswer } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { repeat } from "./repeat.ts";
import type { CommandOptions, RestClient } from "./rest.ts";

/** Commands to the devices of one room. Used by {@link Room}. */
export class RoomCommands {
  #room: RoomId;
  #rest: RestClient;
  #clock: Clock;

  constructor(room: RoomId, { rest, clock }: { rest: RestClient; clock: Clock }) {
    this.#room = room;
    this.#rest = rest;
    this.#clock = clock;
  }

  /** Repeated with one `clientId` until answered, 30 s at most: it is stored once. */
  send(
    device: PrincipalId,
    name: string,
    args: Metadata = {},
    options: CommandOptions = {},
  ): Promise<MessageAnswer> {
    const command = { clientId: crypto.randomUUID(), name, args, ...options };
    return repeat(this.#clock, () => this.#rest.sendCommand(this.#room, device, command));
  }

  /** Repeated like {@link send}. */
  cancel(command: string): Promise<MessageAnswer> {
    return repeat(this.#clock, () => this.#rest.cancelCommand(this.#room, command));
  }
}
