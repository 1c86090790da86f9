import { type DataCheck, dataCheck } from "../lib/data_schema.ts";
import { ConfabError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import type { DeviceMessage } from "./payload.ts";
import type { BridgeActions } from "./ports.ts";

interface Known {
  check: DataCheck | undefined;
  /** Milliseconds of performance.now(). */
  until: number;
}

const TTL_MS = 30_000;
/** Without a schema, which take little memory, and with one: that may take 300 KB. */
const MAX_FREE = 20_000;
const MAX_CHECKED = 1000;

/** Holds the data of devices' messages against the schemas that their owners have set. */
export class DataChecks {
  readonly #free = new Map<PrincipalId, Known>();
  readonly #checked = new Map<PrincipalId, Known>();
  /** How often something was forgotten: an answer to a question from before is not kept. */
  #forgotten = 0;

  constructor(
    private readonly actions: Pick<BridgeActions, "dataSchema" | "usedClientIds">,
    private readonly log: Log,
  ) {}

  /**
   * For each message why it is refused, or undefined. One that was stored before the schema changed
   * is let through: its repeat is answered with its receipt.
   */
  async refusals(
    device: PrincipalId,
    room: RoomId,
    messages: DeviceMessage[],
    /** As whom the messages are stored. */
    sender: PrincipalId = device,
  ): Promise<(ConfabError | undefined)[]> {
    if (messages.every(({ body }) => body.data === undefined)) return messages.map(() => undefined);
    const check = await this.#check(device);
    const wrong = messages.map(({ body }) =>
      body.data === undefined ? undefined : check?.(body.data)
    );
    const keys = messages.filter((_, i) => wrong[i] !== undefined).map(({ clientId }) => clientId);
    if (keys.length === 0) return messages.map(() => undefined);
    const used = new Set(await this.actions.usedClientIds(sender, room, keys));
    return messages.map(({ clientId }, i) => {
      if (wrong[i] === undefined || used.has(clientId)) return undefined;
      return new ConfabError("schema_violation", wrong[i]);
    });
  }

  /** The device has changed: ask again. */
  forget(device: PrincipalId): void {
    this.#forgotten++;
    this.#free.delete(device);
    this.#checked.delete(device);
  }

  async #check(device: PrincipalId): Promise<DataCheck | undefined> {
    const known = this.#checked.get(device) ?? this.#free.get(device);
    if (known !== undefined && known.until > performance.now()) return known.check;
    const forgotten = this.#forgotten;
    const check = this.#read(device, await this.actions.dataSchema(device));
    if (forgotten !== this.#forgotten) return check;
    this.#free.delete(device);
    this.#checked.delete(device);
    const isFree = check === undefined;
    const map = isFree ? this.#free : this.#checked;
    map.set(device, { check, until: performance.now() + TTL_MS });
    if (map.size > (isFree ? MAX_FREE : MAX_CHECKED)) map.delete(map.keys().next().value!);
    return check;
  }

  /** A stored schema that this version does not take says nothing. */
  #read(
    device: PrincipalId,
    schema: Awaited<ReturnType<BridgeActions["dataSchema"]>>,
  ): DataCheck | undefined {
    try {
      return schema === null ? undefined : dataCheck(schema);
    } catch (error) {
      this.log.warn("The schema of a device's data cannot be read", { device, error });
      return undefined;
    }
  }
}
