import { assertEquals } from "@std/assert";
import type { Message, MessageCommand } from "../../lib/client/mod.ts";
import { foldedAnswers } from "./command_block.ts";

const strict = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };

function message(seq: number, second: number, rest: Partial<Message> = {}): Message {
  const at = new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString();
  const sender = { id: "d", kind: "device", name: "Pump 1" } as const;
  return { room: "r", seq, sender, at, attachments: [], updatedSeq: seq, ...rest };
}

const command = (answer: number) => ({ command: { answer } as MessageCommand });

Deno.test("an answer of the first minute is shown with its command alone", strict, () => {
  const messages = [
    message(1, 0, command(3)),
    message(2, 1, { replyTo: 1 }),
    message(3, 2, { replyTo: 1 }),
    message(4, 3, command(6)),
    message(5, 4),
    message(6, 64, { replyTo: 4 }),
  ];
  assertEquals([...foldedAnswers(messages)], [3]);
});

Deno.test("an answer whose command is not held has a row of its own", strict, () => {
  assertEquals([...foldedAnswers([message(3, 2, { replyTo: 1 })])], []);
});
