import type { Member, PublicPrincipal, Room } from "../../lib/client/mod.ts";

/** The devices of a room by id, as far as its members are known. */
export class DeviceNames {
  #devices = new Map<string, PublicPrincipal>();
  #changed: () => void;
  #stops: (() => void)[];

  /** `changed` is called when names become known. */
  constructor(room: Room, changed: () => void) {
    this.#changed = changed;
    this.#stops = [
      room.on("member", (event) => {
        if ("member" in event) this.learn([event.member]);
        else if ("principal" in event && this.#devices.delete(event.principal.id)) changed();
      }),
    ];
  }

  /** In the order of their names. */
  get list(): PublicPrincipal[] {
    return [...this.#devices.values()].sort((a, b) =>
      a.name.localeCompare(b.name, undefined, { numeric: true })
    );
  }

  get(id: string): PublicPrincipal | undefined {
    return this.#devices.get(id);
  }

  /** Takes members that were read. */
  learn(members: readonly Pick<Member, "principal">[]): void {
    const found = members.filter(({ principal: { id, kind, name } }) =>
      kind === "device" && this.#devices.get(id)?.name !== name
    );
    for (const { principal } of found) this.#devices.set(principal.id, principal);
    if (found.length > 0) this.#changed();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
