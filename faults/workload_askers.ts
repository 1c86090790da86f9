import type { PrincipalId, RoomId } from "../lib/protocol.ts";
import type { Account } from "./clients/account.ts";
import { RestWriter } from "./clients/rest_writer.ts";
import type { Cast } from "./workload_cast.ts";

/** Who asks things of devices; the flapper is removed again and again. */
const PEOPLE = ["owner", "person1", "person2", "flapper"];
/** An asker with so much unanswered is left alone. */
const MAX_BACKLOG = 6;

/** Somebody in a room with a device. */
export interface Ask {
  room: RoomId;
  device: PrincipalId;
  account: Account;
  writer: RestWriter;
  /** The device stays in its rooms to the end. */
  lasting: boolean;
}

/** People who ask things of the devices in their rooms, over REST. */
export class Askers {
  readonly #askers: readonly Pick<Ask, "account" | "writer">[];
  #number = 0;

  /** `what` tells their client ids from those of others. */
  constructor(private readonly cast: Cast, what: string) {
    this.#askers = PEOPLE.map((who) => {
      const account = cast.account(who);
      const writer = new RestWriter({ ...cast.context, account, name: `${who}-${what}` });
      return { account, writer };
    });
  }

  /** Owns all rooms. */
  get owner(): RestWriter {
    return this.#askers[0]!.writer;
  }

  get backlog(): number {
    return this.#askers.reduce((sum, { writer }) => sum + writer.backlog, 0);
  }

  /** One by chance, who is not at their limit. */
  pick(): Ask | undefined {
    const { rooms, devices, context: { random } } = this.cast;
    const asks = rooms.flatMap(({ id, members }) =>
      [...devices].filter(([, device]) => members.includes(device.id)).flatMap(([name, device]) =>
        this.#askers.filter(({ account, writer }) =>
          members.includes(account.id) && writer.backlog < MAX_BACKLOG
        ).map((asker) => ({
          ...{ room: id, device: device.id, ...asker },
          lasting: name !== "doomed" && name !== "guest",
        }))
      )
    );
    return asks.length === 0 ? undefined : random.pick(asks);
  }

  /** Somebody else in the same place. */
  other(ask: Ask): Ask | undefined {
    const { members } = this.cast.rooms.find(({ id }) => id === ask.room)!;
    const found = this.#askers.find(({ account, writer }) =>
      writer !== ask.writer && members.includes(account.id)
    );
    return found && { ...ask, ...found };
  }

  clientId({ name }: RestWriter): string {
    return `${name}:${++this.#number}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#askers.map(({ writer }) => writer.stop()));
  }
}
