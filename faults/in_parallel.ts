/** Does `works`, at most `jobs` at once. Results keep the order of the works. */
export async function inParallel<T>(
  works: readonly (() => Promise<T>)[],
  jobs: number,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < works.length) {
      const i = next++;
      results[i] = await works[i]!();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, works.length) }, worker));
  return results;
}
