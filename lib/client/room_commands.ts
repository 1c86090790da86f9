import type { Metadata, PrincipalId, RoomId } from "../protocol.ts";
import type { MessageAnswer } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { isCommandLine, parseCommandLine } from "./command_line.ts";
import type { NamedDevice } from "./command_line.ts";
import { ConfabClientError } from "./errors.ts";
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

  /**
   * Sends a command as somebody types it, `/cmd pump1 start speed=3`, to the device of the room that
   * it names. A message that is sent with such a text is a text, and no command.
   *
   * @throws {ConfabClientError} `invalid_command_line`; `parseCommandLine` says what is wrong with it
   */
  async sendLine(line: string, options: CommandOptions = {}): Promise<MessageAnswer> {
    const asked = parseCommandLine(line, isCommandLine(line) ? await this.#devices() : []);
    if (asked !== undefined && "args" in asked) {
      return await this.send(asked.device, asked.name, asked.args, options);
    }
    const why = asked === undefined ? "It does not begin with /cmd" : asked.problem;
    throw new ConfabClientError("invalid_command_line", `${why}: ${line.slice(0, 80)}`);
  }

  async #devices(): Promise<NamedDevice[]> {
    const devices: NamedDevice[] = [];
    let next: string | null | undefined;
    do {
      const page = await repeat(this.#clock, () => this.#rest.roomDevices(this.#room, next));
      devices.push(...page.items.map(({ device }) => device));
      next = page.next;
    } while (next !== null);
    return devices;
  }

  /** Repeated like {@link send}. */
  cancel(command: string): Promise<MessageAnswer> {
    return repeat(this.#clock, () => this.#rest.cancelCommand(this.#room, command));
  }
}
