import process from "node:process";

/**
 * Listens on a port of the system's choice, answers the first line of standard input with it, and
 * ends the process with standard input.
 */
export function answerOnce(server) {
  process.stdin.once("data", () => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
      process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
    });
  });
  process.stdin.on("end", () => process.exit(0));
}
