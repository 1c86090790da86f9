/** The longest line that is accepted, in UTF-16 units. */
const MAX_LINE_CHARS = 4 * 1024 * 1024;

/**
 * The `data` lines of an event stream (HTML Living Standard, "Server-sent events"), each as soon as
 * it is complete. `onBytes` is called for every chunk, comments and blank lines included. Throws
 * when a line does not end.
 */
export async function* eventLines(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onBytes: () => void,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    onBytes();
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_CHARS) throw new Error("A line of the event stream does not end");
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      yield line.slice(line.startsWith("data: ") ? 6 : 5).replace(/\r$/, "");
    }
  }
}
