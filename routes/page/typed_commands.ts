import type {
  CommandDefinition,
  CommandLineProblem,
  NamedDevice,
  PublicPrincipal,
  RestClient,
  Room,
} from "../../lib/client/mod.ts";
import { isCommandLine, parseCommandLine } from "../../lib/client/mod.ts";
import { sendCommand } from "./send_command.ts";

const MAX_OFFERED = 8;
/** What a device takes is read anew after so long: its owner may have changed it. */
const FRESH_MS = 10_000;

/** The commands that are typed into a composer: `/cmd pump1 start speed=3`. */
export class TypedCommands {
  #room: Room;
  #rest: Pick<RestClient, "deviceCommands">;
  #devices: { readonly list: PublicPrincipal[] };
  #definitions = new Map<string, { at: number; read: Promise<CommandDefinition[]> }>();
  #now: () => number;

  constructor(
    rest: Pick<RestClient, "deviceCommands">,
    room: Room,
    devices: { readonly list: PublicPrincipal[] },
    now: () => number = Date.now,
  ) {
    this.#now = now;
    this.#rest = rest;
    this.#room = room;
    this.#devices = devices;
  }

  /** True for a line that is meant as a command. */
  accepts(text: string): boolean {
    return isCommandLine(text);
  }

  /** Sends a line; resolves to what is wrong with it, if anything. */
  async send(text: string): Promise<string | undefined> {
    const line = parseCommandLine(text, this.#devices.list);
    if (line === undefined) return undefined;
    if ("problem" in line) return problemOf(line);
    const device = this.#devices.list.find(({ id }) => id === line.device)!;
    return await sendCommand(this.#room, device, line);
  }

  /** Whole lines that a beginning may become; none for what is no command. */
  async offers(text: string): Promise<string[]> {
    if (!isCommandLine(text)) return [];
    const { list } = this.#devices;
    const device = deviceOf(text, list);
    if (device === undefined) return offeredDevices(text, list);
    const definitions = await this.#known(device.id).catch(() => []);
    return offeredCommands(text, device, definitions);
  }

  /** Read at most every few seconds for each device; null, which is any command, offers none. */
  #known(device: string): Promise<CommandDefinition[]> {
    const known = this.#definitions.get(device);
    if (known !== undefined && this.#now() - known.at < FRESH_MS) return known.read;
    const read = this.#rest.deviceCommands(this.#room.id, device)
      .then(({ commands }) => commands ?? []);
    read.catch(() => this.#definitions.delete(device));
    this.#definitions.set(device, { at: this.#now(), read });
    return read;
  }
}

/** The device whose name the line begins with, once a space follows it. */
export function deviceOf<Device extends NamedDevice>(
  text: string,
  devices: readonly Device[],
): Device | undefined {
  const rest = afterCmd(text).toLowerCase();
  return devices.filter(({ name }) => rest.startsWith(`${name.toLowerCase()} `))
    .sort((a, b) => b.name.length - a.name.length)[0];
}

/** Lines with the devices whose names go on as the line does. */
export function offeredDevices(text: string, devices: readonly NamedDevice[]): string[] {
  const begun = afterCmd(text).toLowerCase();
  return devices.filter(({ name }) => name.toLowerCase().startsWith(begun))
    .slice(0, MAX_OFFERED).map(({ name }) => `/cmd ${name} `);
}

/** Lines with the commands that go on as the line does, or with arguments that are not there yet. */
export function offeredCommands(
  text: string,
  device: NamedDevice,
  definitions: readonly Pick<CommandDefinition, "name" | "args">[],
): string[] {
  const start = `/cmd ${device.name} `;
  const rest = afterCmd(text).slice(device.name.length).trimStart();
  const [name = "", ...words] = rest.split(" ");
  if (words.length === 0) {
    return definitions.filter((each) => each.name.startsWith(name) && each.name !== name)
      .slice(0, MAX_OFFERED).map((each) => start + each.name + argsHint(each));
  }
  const args = Object.keys(definitions.find((each) => each.name === name)?.args ?? {});
  const last = words.pop()!;
  const before = [start + name, ...words].join(" ");
  return args.filter((arg) => arg.startsWith(last) && !words.some((w) => w.startsWith(`${arg}=`)))
    .map((arg) => `${before} ${arg}=`);
}

const afterCmd = (text: string) => text.replace(/^\/cmd\s*/, "");
const argsHint = ({ args = {} }: Pick<CommandDefinition, "args">) =>
  Object.keys(args).length > 0 ? " " : "";

/** A sentence about a line that cannot be sent. */
export function problemOf({ problem, about }: CommandLineProblem): string {
  switch (problem) {
    case "no_device":
      return "Name a device and a command: /cmd pump1 start speed=3";
    case "unknown_device":
      return `No device here is called "${about}".`;
    case "ambiguous_device":
      return `Several devices here are called "${about}". Use the panel of the one you mean.`;
    case "no_command":
      return "What shall it do? Write a command behind the device.";
    case "invalid_command":
      return `"${about}" cannot be a command: use lower case letters, digits, "-", "_" and ".".`;
    case "invalid_argument":
      return `"${about}" is no argument: write name=value, such as speed=3.`;
    case "repeated_argument":
      return `"${about}" is there twice.`;
  }
}
