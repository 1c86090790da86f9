/**
 * Runs tasks of one key one after the other in the order of `run()`, those of different keys side
 * by side. A failed task does not stop those behind it.
 */
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();

  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before === undefined ? task() : before.then(task);
    const tail = result.then(() => {}, () => {}).finally(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    this.#tails.set(key, tail);
    return result;
  }

  /** Keys with tasks that are not done. */
  get size(): number {
    return this.#tails.size;
  }
}
