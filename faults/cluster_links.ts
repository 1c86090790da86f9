import { FaultProxy } from "./proxy.ts";
import type { LinkEnd } from "./world.ts";

/** All links of a world. */
export class WorldLinks implements AsyncDisposable {
  readonly all: FaultProxy[] = [];

  /** Opens a proxy that leads to what listens on `target()`. `source` is the name of the process. */
  add(source: string, from: LinkEnd, to: LinkEnd, target: () => number, name?: string): FaultProxy {
    const proxy = new FaultProxy({ name: name ?? `${source}->${to}`, from, to, target });
    this.all.push(proxy);
    return proxy;
  }

  /** Those between these ends; an absent end stands for all. */
  find({ from, to }: { from?: LinkEnd; to?: LinkEnd }): FaultProxy[] {
    return this.all.filter((link) =>
      (from === undefined || link.from === from) && (to === undefined || link.to === to)
    );
  }

  heal(): void {
    for (const link of this.all) link.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((link) => link[Symbol.asyncDispose]()));
  }
}
