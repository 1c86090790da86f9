/** Chunks on their way through the proxy in one direction of one connection, bounded. */
export class ProxyQueue {
  readonly #chunks: { bytes: Uint8Array<ArrayBuffer>; due: number }[] = [];
  #held = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /** `maxBytes` is when `push()` begins to wait. */
  constructor(readonly maxBytes: number) {}

  /** Bytes inside. */
  get held(): number {
    return this.#held;
  }

  /** The first chunk and the time (`performance.now()`) at which it may leave. */
  get first(): { bytes: Uint8Array<ArrayBuffer>; due: number } | undefined {
    return this.#chunks[0];
  }

  /** True when nothing is left and nothing will come. */
  get drained(): boolean {
    return this.#ended && this.#chunks.length === 0;
  }

  /** Appends a chunk and resolves when there is room for another one. */
  async push(bytes: Uint8Array<ArrayBuffer>, due: number): Promise<void> {
    this.#chunks.push({ bytes, due });
    this.#held += bytes.length;
    this.wake();
    while (this.#held >= this.maxBytes && !this.#ended) await this.#changed.promise;
  }

  /** Takes the first `count` bytes away: they have been written. */
  shift(count: number): void {
    const first = this.#chunks[0]!;
    this.#held -= count;
    if (count === first.bytes.length) this.#chunks.shift();
    else first.bytes = first.bytes.subarray(count);
    this.wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** Forgets what is inside, and ends. */
  clear(): void {
    this.#chunks.length = 0;
    this.#held = 0;
    this.end();
  }

  /** Resolves at the next change of the queue or `wake()`. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Lets everybody who waits look again. */
  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
