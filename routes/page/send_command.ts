import type { Metadata, PublicPrincipal, Room } from "../../lib/client/mod.ts";
import { toClientError } from "../../lib/client/mod.ts";
import { askFirst } from "./dialog.ts";
import { attempt } from "./notice.ts";
import { problemText } from "./problem_text.ts";

/** What a device shall do. */
export interface TypedCommand {
  name: string;
  args: Metadata;
}

/**
 * Sends a command, and asks first where it is dangerous; resolves to what went wrong, if anything.
 * One that waits for an answer to that question counts as sent.
 */
export async function sendCommand(
  room: Room,
  device: PublicPrincipal,
  { name, args }: TypedCommand,
  { dangerous = false } = {},
): Promise<string | undefined> {
  const confirm = () => {
    const words = `${name} is marked as dangerous, and ${device.name} obeys at once.`;
    askFirst(`${name} for ${device.name}?`, words, `Send ${name}`, () => {
      void attempt(() => room.command(device.id, name, args, { confirm: true }));
    });
  };
  if (dangerous) return void confirm();
  try {
    await room.command(device.id, name, args);
  } catch (error) {
    const { code } = toClientError(error);
    if (code === "confirmation_required") return void confirm();
    if (code === "unknown_command") return `${device.name} does not know "${name}".`;
    return problemText(error);
  }
}
