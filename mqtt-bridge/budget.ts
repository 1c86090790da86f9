/** Bounds how much is under way at once, by number and by bytes; who waits is served in order. */
export class Budget {
  readonly #waiting: { bytes: number; go: () => void }[] = [];
  #count = 0;
  #bytes = 0;

  constructor(private readonly max: { count: number; bytes: number }) {}

  /** Resolves when there is room; call the result when done. One that is too large goes alone. */
  take(bytes: number): Promise<() => void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#count++;
        this.#bytes += bytes;
        let done = false;
        resolve(() => {
          if (done) return;
          done = true;
          this.#count--;
          this.#bytes -= bytes;
          this.#next();
        });
      };
      this.#waiting.push({ bytes, go });
      this.#next();
    });
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const fits = this.#count < this.max.count && this.#bytes + first.bytes <= this.max.bytes;
      if (!fits && this.#count > 0) return;
      this.#waiting.shift();
      first.go();
    }
  }
}
