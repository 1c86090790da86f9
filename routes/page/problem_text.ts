import { toClientError } from "../../lib/client/mod.ts";

const TEXTS: Record<string, string> = {
  network: "Confab cannot be reached. Check your connection.",
  timeout: "Confab took too long to answer. Try again.",
  disconnected: "The connection was interrupted. Try again.",
  unavailable: "Confab is having trouble right now. Try again in a moment.",
  overloaded: "Confab is very busy right now. Try again in a moment.",
  restarting: "Confab is restarting. Try again in a moment.",
  rate_limited: "That was a bit fast. Wait a moment and try again.",
  invalid_credentials: "The username or password is wrong.",
  username_taken: "That username is taken. Choose another one.",
  not_found: "It does not exist, or it is not open to you.",
  forbidden: "You may not do this here.",
  read_only: "Your role in this room lets you read only.",
  not_a_member: "Join the room first.",
  payload_too_large: "That is too long for one message.",
  outbox_full: "Too many messages are waiting to be sent.",
  message_deleted: "That message was deleted already.",
  not_editable: "A command cannot be edited. Delete it instead.",
  version_conflict: "Somebody else has changed it meanwhile.",
  confirmation_required: "This command must be confirmed.",
  unknown_command: "The device does not take this command.",
  device_disabled: "The device is disabled.",
  device_read_only: "The device may only read in this room, so it could not answer.",
  too_many_commands: "Too many commands wait for this device.",
  command_settled: "The command is settled already.",
  last_owner: "A room keeps at least one owner.",
};

/** A sentence for people about an error; the field's own sentence when a field was wrong. */
export function problemText(error: unknown): string {
  const failure = toClientError(error);
  const [field] = failure.errors;
  if (failure.code === "invalid_request" && field !== undefined) {
    return field.path === "" ? field.message : `${fieldName(field.path)} ${field.message}`;
  }
  return TEXTS[failure.code] ?? failure.message;
}

/** "Display name" for `displayName`. */
function fieldName(path: string): string {
  const words = path.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
