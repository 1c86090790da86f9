/** Does `work` for every item, at most `width` at once. Rejects with the first failure. */
export async function inParallel<T>(
  width: number,
  items: T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const [index, item] of queue) await work(item, index);
  }));
}
