/** The same work, but a call while it is under way does nothing: a double click counts as one. */
export function oneAtATime<Args extends unknown[]>(
  work: (...args: Args) => Promise<void>,
): (...args: Args) => Promise<void> {
  let isUnderWay = false;
  return async (...args) => {
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      await work(...args);
    } finally {
      isUnderWay = false;
    }
  };
}
