/** Thrown when no Postgres can run here; the message says what to do instead. */
export class EmbeddedError extends Error {
  override readonly name = "EmbeddedError";
  constructor(reason: string, options?: ErrorOptions) {
    super(`${reason}. Set DATABASE_URL to use a Postgres of your own.`, options);
  }
}
