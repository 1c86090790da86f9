import { ConfabClient, SessionTokens, toClientError } from "../lib/client/mod.ts";
import type { DeviceAnswer, JoinedRoom, RestClient, RoomInfo } from "../lib/client/mod.ts";
import type { Equipment } from "./equipment.ts";

/** Somebody with an account, made for this run. */
export interface Person {
  name: string;
  username: string;
  password: string;
  id: string;
  client: ConfabClient;
  rest: RestClient;
}

/** Makes an account; another username when a former run has taken this one. */
export async function signUp(url: string, name: string): Promise<Person> {
  const tokens = new SessionTokens({ url });
  const password = newPassword();
  for (let username = name.toLowerCase();; username = name.toLowerCase() + digits(4)) {
    try {
      const { id } = await tokens.register({ username, password, displayName: name });
      const client = new ConfabClient({ url, tokens });
      return { name, username, password, id, client, rest: client.rest };
    } catch (error) {
      if (toClientError(error).code !== "username_taken") throw error;
    }
  }
}

/** Makes the room of the plant, with both people in it and connected. */
export async function makeRoom(owner: Person, colleague: Person): Promise<JoinedRoom> {
  const { room } = await owner.rest.createRoom({
    name: "Plant",
    topic: "Water works and filling line: thirty devices, two people",
    visibility: "private",
  });
  await owner.rest.putMember(room.id, colleague.id, "admin");
  for (const { client } of [owner, colleague]) {
    client.connect();
    await client.room(room.id).join();
  }
  return room;
}

/** Makes a device, takes it into the room, and says what it does and what the room should hear. */
export async function addDevice(
  { rest }: Person,
  room: Pick<RoomInfo, "id">,
  { name, actions, rules, expectedSeconds }: Equipment,
): Promise<DeviceAnswer> {
  const made = await patiently(() => rest.ownDevices.create({ name }));
  const { id } = made.device;
  await patiently(() => rest.putMember(room.id, id, "member"));
  const commands = actions.map(({ run: _, ...definition }) => definition);
  await patiently(() => rest.ownDevices.setCommands(id, commands));
  if (rules.length > 0) await patiently(() => rest.setTelemetryRules(room.id, id, rules));
  if (expectedSeconds !== undefined) {
    await patiently(() => rest.ownDevices.expect(id, expectedSeconds));
  }
  return made;
}

/** Waits as long as Confab asks when it is too much at once. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await ask();
    } catch (error) {
      const { code, retryAfter = 1 } = toClientError(error);
      if (code !== "rate_limited" || tries === 10) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * retryAfter));
    }
  }
}

function newPassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

function digits(count: number): string {
  return String(Math.floor(Math.random() * 10 ** count)).padStart(count, "0");
}
