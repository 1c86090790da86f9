/** The lines of a stream of UTF-8, without their ends. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== "") yield rest;
}

/**
 * Answers each line of standard input, a job in JSON, with one line of JSON on standard output, and
 * ends with standard input, after `end`: nothing outlives the process that asks.
 */
export async function answerJobs(
  work: (job: never) => unknown,
  end: () => Promise<void> = () => Promise.resolve(),
): Promise<never> {
  for await (const line of linesOf(Deno.stdin.readable)) {
    const answer = await work(JSON.parse(line) as never);
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(answer ?? null)}\n`));
  }
  await end();
  Deno.exit(0);
}
