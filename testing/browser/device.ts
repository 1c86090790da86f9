/**
 * A device that is nothing but Mosquitto's command line tools, with the commands that the page
 * shows. It listens and publishes side by side, with suffixed client ids.
 */
export class Device {
  readonly #publish: string[];
  readonly #subscribe: string[];
  #listener: Deno.ChildProcess | undefined;
  #heard = "";

  constructor(publish: string, subscribe: string) {
    this.#publish = words(publish);
    this.#subscribe = words(subscribe);
  }

  /** Starts `mosquitto_sub`, which comes back by itself when the broker was away. */
  async listen(): Promise<void> {
    const [program, ...args] = this.#subscribe;
    const events = args[args.indexOf("-t") + 1]!;
    const own = (name: string) => events.replace(/rooms\/.*$/, name);
    const inRoom = (name: string) => events.replace(/events$/, name);
    const topics = [
      own("receipts"),
      own("commands"),
      inRoom("head"),
      inRoom("desired"),
    ];
    this.#listener = new Deno.Command(program!, {
      args: [...args, ...topics.flatMap((topic) => ["-t", topic]), "-v"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    void this.#collect(this.#listener.stdout);
    void this.#collect(this.#listener.stderr);
    // The retained head shows that the subscription stands.
    await this.hears("/head {");
  }

  /** Publishes one message with `mosquitto_pub`, trying again while the broker is away. */
  publish(payload: string): Promise<void> {
    return this.#run(payload, (topic) => topic);
  }

  /** Publishes JSON on another topic of its own, such as `status`, or of the room. */
  publishOn(
    name: "status" | "replies" | "telemetry" | "reported",
    payload: unknown,
  ): Promise<void> {
    const inRoom = name === "telemetry" || name === "reported";
    const retained = name === "status" || name === "reported" ? ["-r"] : [];
    return this.#run(
      JSON.stringify(payload),
      (topic) => topic.replace(inRoom ? /send$/ : /rooms\/.*$/, name),
      retained,
    );
  }

  async #run(
    payload: string,
    topicOf: (topic: string) => string,
    more: string[] = [],
  ): Promise<void> {
    const [program, ...args] = [...this.#publish, ...more];
    args[args.indexOf("-m") + 1] = payload;
    const at = args.indexOf("-t") + 1;
    args[at] = topicOf(args[at]!);
    for (let attempt = 0;; attempt++) {
      const { success, stderr } = await new Deno.Command(program!, {
        args,
        stdin: "null",
      })
        .output();
      if (success) return;
      if (attempt > 40) throw new Error(new TextDecoder().decode(stderr));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** Publishes one message and waits for the receipt that says it is stored. */
  async publishWithReceipt(
    text: string,
  ): Promise<{ seq: number; duplicate: boolean }> {
    const clientId = crypto.randomUUID();
    await this.publish(JSON.stringify({ text, clientId }));
    const line = await this.hears(`receipts {"clientId":"${clientId}"`);
    return JSON.parse(line.slice(line.indexOf("{")));
  }

  /** Waits for a line with all these texts; returns it. */
  async hears(...texts: string[]): Promise<string> {
    const end = performance.now() + 30_000;
    for (;;) {
      const line = this.#heard.split("\n").slice(0, -1).find((line) =>
        texts.every((text) => line.includes(text))
      );
      if (line !== undefined) return line;
      if (performance.now() > end) {
        throw new Error(`The device never heard "${texts.join(", ")}"`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the listener. */
  async stop(): Promise<void> {
    try {
      this.#listener?.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#listener?.status;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#heard += decoder.decode(chunk, { stream: true });
    }
  }
}

/** The words of a shell command with plain and single-quoted words. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) =>
    match[1] ?? match[2]!
  );
}
