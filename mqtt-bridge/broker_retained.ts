/** Topics of one device that may hold something for later: its status, and its state in rooms. */
const MAX_TOPICS = 100;

/**
 * Which topics of devices the embedded broker keeps a message of. Without a bound, a device could
 * fill the memory with the state that it reports to rooms that do not exist.
 */
export class RetainedTopics {
  readonly #topics = new Map<string, Set<string>>();

  constructor(private readonly max = MAX_TOPICS) {}

  /** Whether a retained publish may be kept; an empty one clears its topic. */
  keeps(device: string, topic: string, isEmpty: boolean): boolean {
    if (!/\/(status|reported)$/.test(topic)) return false;
    const topics = this.#topics.get(device) ?? new Set();
    if (isEmpty) {
      topics.delete(topic);
      if (topics.size === 0) this.#topics.delete(device);
      return true;
    }
    if (!topics.has(topic) && topics.size >= this.max) return false;
    this.#topics.set(device, topics.add(topic));
    return true;
  }
}
