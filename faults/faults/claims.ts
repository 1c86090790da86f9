/** Names of processes and links that a fault has to itself for a while. */
export class Claims {
  readonly #taken = new Set<string>();
  #freed = Promise.withResolvers<void>();

  /** Takes all of `names` at once, as soon as they are free; disposing gives them back. */
  async take(...names: string[]): Promise<Disposable> {
    while (names.some((name) => this.#taken.has(name))) await this.#freed.promise;
    for (const name of names) this.#taken.add(name);
    return {
      [Symbol.dispose]: () => {
        for (const name of names) this.#taken.delete(name);
        this.#freed.resolve();
        this.#freed = Promise.withResolvers();
      },
    };
  }
}
