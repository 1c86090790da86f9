/** Waits for `work`, but not longer than `ms`; a failure counts as done. */
export async function within(ms: number, work: PromiseLike<unknown>): Promise<void> {
  let timer;
  const late = new Promise((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([Promise.resolve(work).catch(() => {}), late]);
  clearTimeout(timer);
}
