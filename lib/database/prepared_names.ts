/** Texts remembered at most; every connection may hold as many statements on the server. */
const MAX_TEXTS = 500;

/**
 * Names for prepared statements: a text gets one when it is seen the second time, so that texts
 * used once cost the server nothing. Names mean the same text on every connection.
 */
export class PreparedNames {
  readonly #names = new Map<string, string | undefined>();
  #made = 0;

  /** The name to prepare `text` under, or undefined to send it unprepared. */
  of(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.has(text)) {
      const name = `confab_${++this.#made}`;
      this.#names.set(text, name);
      return name;
    }
    if (this.#names.size < MAX_TEXTS) this.#names.set(text, undefined);
    return undefined;
  }
}
