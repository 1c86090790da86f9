/** Something that Confab promises did not hold in a world of the model. */
export class BrokenPromise extends Error {
  override name = "BrokenPromise";
}
