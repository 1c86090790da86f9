/** One event of a stream (WHATWG HTML, section 9.2); without a name it is a `message`. */
export interface StreamEvent {
  name: string;
  // deno-lint-ignore no-explicit-any -- plain JSON; what is read from it is checked where it is used
  data: any;
}

/** Takes events out of the text of a stream, whatever pieces it comes in. */
export class EventParser {
  #text = "";

  constructor(private readonly onEvent: (event: StreamEvent) => void) {}

  push(piece: string): void {
    const blocks = (this.#text + piece).split("\n\n");
    this.#text = blocks.pop()!;
    for (const block of blocks) this.#block(block);
  }

  #block(block: string): void {
    let name = "message";
    let data: string | undefined;
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) data = (data ?? "") + line.slice(6);
    }
    if (data !== undefined) this.onEvent({ name, data: JSON.parse(data) });
  }
}
