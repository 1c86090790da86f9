import type {
  CommandStatus,
  DeviceState,
  DeviceStatus,
  DeviceTelemetry,
  JoinedRoom,
  Member,
  MessageBody,
  Metadata,
  PrincipalId,
  Room,
  RoomId,
  RoomPresence,
  RoomRole,
  TelemetryRule,
  TelemetrySeries,
  Timestamp,
} from "../protocol.ts";
import type {
  CommandDefinition,
  CommandRecord,
  FoundUser,
  LogPage,
  MemberAnswer,
  MessageAnswer,
  MessagePage,
  Page,
  ReadAnswer,
  RoomAnswer,
  StateAnswer,
  User,
} from "./answers.ts";
import { ConfabClientError } from "./errors.ts";
import { exchange } from "./exchange.ts";
import { OwnDevices } from "./own_devices.ts";
import type { TokenProvider } from "./tokens.ts";

type Query = Record<string, string | number | null | undefined>;

/** What is wished for of a device; `version` is the one that was seen. */
export interface DesiredWish {
  desired: Metadata;
  version?: number;
  clientId?: string;
}

/** How a command is sent. */
export interface CommandOptions {
  /** How long the device may take, also to come online: 1 to 86,400; default: by its definition. */
  timeoutSeconds?: number;
  /** Needed for what the device's owner calls dangerous: `confirmation_required` otherwise. */
  confirm?: true;
}

/** What can be changed of a message. */
export type MessageChange = Pick<MessageBody, "text" | "data" | "metadata"> & { clientId?: string };

/**
 * The REST routes as methods. A refused token is refreshed once and the request repeated;
 * every failure is a {@link ConfabClientError}.
 */
export class RestClient {
  /** The devices that are one's own. */
  readonly ownDevices: OwnDevices = new OwnDevices(this);
  #url: string;
  #tokens: TokenProvider;
  #fetch: typeof fetch;

  constructor(options: { url: string; tokens: TokenProvider; fetch?: typeof fetch }) {
    this.#url = options.url;
    this.#tokens = options.tokens;
    const send = options.fetch ?? fetch;
    this.#fetch = (input, init) => send(input, init);
  }

  /** One signed request, for routes that have no method here. */
  async request<Answer>(
    method: string,
    path: string,
    options: { body?: object; query?: Query } = {},
  ): Promise<Answer> {
    const url = new URL(path, this.#url);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    const once = async (refresh: boolean) => {
      const token = await this.#tokens.accessToken({ refresh });
      return await exchange(this.#fetch, { method, url, token, body: options.body }) as Answer;
    };
    try {
      return await once(false);
    } catch (error) {
      if (!(error instanceof ConfabClientError) || error.status !== 401) throw error;
      return await once(true);
    }
  }

  ticket(): Promise<{ ticket: string; expiresIn: number }> {
    return this.request("POST", "/v1/auth/ticket");
  }

  me(): Promise<{ user: User }> {
    return this.request("GET", "/v1/me");
  }

  searchUsers(q: string): Promise<Page<FoundUser>> {
    return this.request("GET", "/v1/users", { query: { q } });
  }

  createRoom(room: {
    name: string;
    visibility: "public" | "private";
    topic?: string;
    metadata?: Metadata;
  }): Promise<{ room: JoinedRoom }> {
    return this.request("POST", "/v1/rooms", { body: room });
  }

  /** The rooms one is a member of. */
  rooms(next?: string | null): Promise<Page<JoinedRoom>> {
    return this.request("GET", "/v1/rooms", { query: { next, limit: 200 } });
  }

  publicRooms(q?: string, next?: string | null): Promise<Page<Room>> {
    return this.request("GET", "/v1/rooms", { query: { visibility: "public", q, next } });
  }

  room(room: RoomId): Promise<{ room: RoomAnswer }> {
    return this.request("GET", `/v1/rooms/${room}`);
  }

  /** The direct room with `user`, made when there is none yet. */
  directRoom(user: PrincipalId): Promise<{ room: JoinedRoom }> {
    return this.request("PUT", `/v1/direct/${user}`);
  }

  joinRoom(room: RoomId): Promise<{ room: JoinedRoom }> {
    return this.request("POST", `/v1/rooms/${room}/join`);
  }

  leaveRoom(room: RoomId): Promise<void> {
    return this.request("POST", `/v1/rooms/${room}/leave`);
  }

  members(room: RoomId, next?: string | null): Promise<Page<Member>> {
    return this.request("GET", `/v1/rooms/${room}/members`, { query: { next, limit: 200 } });
  }

  /** Whether a device is there, for its owner and for those who are in a room with it. */
  deviceStatus(device: PrincipalId): Promise<DeviceStatus> {
    return this.request("GET", `/v1/devices/${device}/status`);
  }

  /** Who of the members is online; {@link Room.presence} also heeds what changes meanwhile. */
  presence(room: RoomId): Promise<RoomPresence> {
    return this.request("GET", `/v1/rooms/${room}/presence`);
  }

  putMember(room: RoomId, principal: PrincipalId, role?: RoomRole): Promise<MemberAnswer> {
    return this.request("PUT", `/v1/rooms/${room}/members/${principal}`, {
      body: role === undefined ? {} : { role },
    });
  }

  removeMember(room: RoomId, principal: PrincipalId): Promise<void> {
    return this.request("DELETE", `/v1/rooms/${room}/members/${principal}`);
  }

  messages(
    room: RoomId,
    query: { before?: number; after?: number; limit?: number } = {},
  ): Promise<MessagePage> {
    return this.request("GET", `/v1/rooms/${room}/messages`, { query });
  }

  sendMessage(room: RoomId, body: MessageBody & { clientId: string }): Promise<MessageAnswer> {
    return this.request("POST", `/v1/rooms/${room}/messages`, { body });
  }

  editMessage(room: RoomId, seq: number, body: MessageChange): Promise<MessageAnswer> {
    return this.request("PATCH", `/v1/rooms/${room}/messages/${seq}`, { body });
  }

  deleteMessage(room: RoomId, seq: number): Promise<MessageAnswer> {
    return this.request("DELETE", `/v1/rooms/${room}/messages/${seq}`);
  }

  log(
    room: RoomId,
    query: { epoch: string; after: number; limit?: number },
  ): Promise<LogPage> {
    return this.request("GET", `/v1/rooms/${room}/log`, { query });
  }

  markRead(room: RoomId, seq: number): Promise<ReadAnswer> {
    return this.request("PUT", `/v1/rooms/${room}/read`, { body: { seq } });
  }

  /** The devices of a room with their states. */
  roomDevices(room: RoomId, next?: string | null): Promise<Page<DeviceState>> {
    return this.request("GET", `/v1/rooms/${room}/devices`, { query: { next } });
  }

  deviceState(room: RoomId, device: PrincipalId): Promise<DeviceState> {
    return this.request("GET", `/v1/rooms/${room}/devices/${device}/state`);
  }

  setDesired(room: RoomId, device: PrincipalId, body: DesiredWish): Promise<StateAnswer> {
    return this.request("PUT", `/v1/rooms/${room}/devices/${device}/state`, { body });
  }

  /** `desired` is a merge patch: what it does not name stays, and null removes. */
  changeDesired(room: RoomId, device: PrincipalId, body: DesiredWish): Promise<StateAnswer> {
    return this.request("PATCH", `/v1/rooms/${room}/devices/${device}/state`, { body });
  }

  /** Asks a device of the room to do something; the same `clientId` again stores nothing. */
  sendCommand(
    room: RoomId,
    device: PrincipalId,
    body: { clientId: string; name: string; args?: Metadata } & CommandOptions,
  ): Promise<MessageAnswer> {
    return this.request("POST", `/v1/rooms/${room}/devices/${device}/commands`, { body });
  }

  cancelCommand(room: RoomId, command: string): Promise<MessageAnswer> {
    return this.request("POST", `/v1/rooms/${room}/commands/${command}/cancel`);
  }

  /** What was asked of the devices of a room, and what became of it, the newest first. */
  commands(
    room: RoomId,
    query: { status?: CommandStatus; device?: PrincipalId; next?: string | null } = {},
  ): Promise<Page<CommandRecord>> {
    return this.request("GET", `/v1/rooms/${room}/commands`, { query });
  }

  /** The latest readings of a device; the event `telemetry` of the room tells what comes after. */
  telemetry(room: RoomId, device: PrincipalId): Promise<DeviceTelemetry> {
    return this.request("GET", `/v1/rooms/${room}/devices/${device}/telemetry`);
  }

  /** The series of a numeric metric in at most `points` points; default: the last hour. */
  telemetrySeries(
    room: RoomId,
    device: PrincipalId,
    metric: string,
    query: { from?: Timestamp; to?: Timestamp; points?: number } = {},
  ): Promise<TelemetrySeries> {
    const path = `/v1/rooms/${room}/devices/${device}/telemetry/${metric}`;
    return this.request("GET", path, { query });
  }

  /** The rules that make messages of a device's readings, for members of the room. */
  telemetryRules(room: RoomId, device: PrincipalId): Promise<{ rules: TelemetryRule[] }> {
    return this.request("GET", `/v1/rooms/${room}/devices/${device}/rules`);
  }

  /** Replaces them all; for owners and admins of the room, and the device's owner in it. */
  setTelemetryRules(
    room: RoomId,
    device: PrincipalId,
    rules: TelemetryRule[],
  ): Promise<{ rules: TelemetryRule[] }> {
    return this.request("PUT", `/v1/rooms/${room}/devices/${device}/rules`, { body: { rules } });
  }

  /** What a device of the room takes; null: every command. */
  deviceCommands(
    room: RoomId,
    device: PrincipalId,
  ): Promise<{ commands: CommandDefinition[] | null }> {
    return this.request("GET", `/v1/rooms/${room}/devices/${device}/commands`);
  }
}
