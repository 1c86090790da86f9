import type { RoomId } from "../../lib/protocol.ts";
import { ModelConnection } from "./connection.ts";
import { ModelRoom, type RoomRequests } from "./client_room.ts";
import type { ModelNode } from "./node.ts";
import type { Surroundings } from "./surroundings.ts";

/** A client of one person, with one connection at a time, to any node. */
export class ModelClient {
  readonly rooms: readonly ModelRoom[];
  connection: ModelConnection | undefined;

  constructor(
    private readonly world: Surroundings,
    readonly who: number,
    rooms: readonly RoomId[],
  ) {
    const requests: RoomRequests = {
      join: (room, join, cursor) => {
        const after = cursor && { epoch: cursor.epoch, after: cursor.seq };
        this.connection?.join(room, join, after);
      },
      leave: (room) => this.connection?.leave(room),
    };
    this.rooms = rooms.map((id) => new ModelRoom(world, id, who, requests));
  }

  /** Comes back through `node`, from every cursor. */
  connect(node: ModelNode): void {
    this.world.tell(() => `p${this.who} connects to ${node.name}`);
    this.connection = new ModelConnection(this.world, node, this.who);
    for (const room of this.rooms) room.connected();
  }

  /** Loses the connection, and with it what was on its way; its node `notices` or never does. */
  cut(notices: boolean): void {
    if (this.connection === undefined) return;
    this.world.tell(() => `p${this.who} is cut off`);
    if (notices) this.connection.close();
    this.connection = undefined;
    for (const room of this.rooms) room.disconnected();
  }

  /** Takes up to `frames` frames from the wire; true when there was one. */
  receive(frames: number): boolean {
    let taken = 0;
    while (taken < frames && this.connection !== undefined) {
      const frame = this.connection.wire.shift();
      if (frame === undefined) break;
      taken++;
      if (frame.type !== "heads") this.#room(frame.room).receive(frame);
      else {
        for (const [room, seq] of Object.entries(frame.rooms)) this.#room(room).head(seq);
      }
    }
    return taken > 0;
  }

  /** Loses the first entry on the wire, if a later entry of the room will show the gap. */
  loseEntry(): void {
    const wire = this.connection?.wire ?? [];
    const index = wire.findIndex(({ type }) => type === "event");
    const frame = wire[index];
    if (frame?.type !== "event") return;
    const shown = wire.slice(index + 1).some((later) =>
      later.type === "event" && later.room === frame.room
    );
    if (!shown) return;
    this.world.tell(() => `entry ${frame.entry.seq} does not reach p${this.who}`);
    wire.splice(index, 1);
  }

  #room(id: RoomId): ModelRoom {
    return this.rooms.find((room) => room.id === id)!;
  }
}
