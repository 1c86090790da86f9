/**
 * The open loop: calls `send` for each of `messages` numbers when it is due, whatever became of
 * those before, with the time at which it was due; what is late is sent at once.
 */
export async function atRate(
  messages: number,
  perSecond: number,
  send: (number: number, dueAt: number) => void,
  stop: () => boolean = () => false,
): Promise<void> {
  const start = performance.now();
  for (let sent = 0; sent < messages && !stop();) {
    const due = Math.min(messages, Math.floor((performance.now() - start) * perSecond / 1000) + 1);
    for (; sent < due; sent++) send(sent, start + sent * 1000 / perSecond);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
