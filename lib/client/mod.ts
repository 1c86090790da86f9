/**
 * The TypeScript SDK of Confab for browsers, Deno and Node from version 20 on.
 *
 * @module
 */
export { ConfabClient } from "./client.ts";
export type { ConfabClientEvents, ConfabClientOptions } from "./client.ts";
export type { ConnectionState, ReadyFrame } from "./connection.ts";
export { Room } from "./room.ts";
export { RoomDevices } from "./room_devices.ts";
export type { WishOptions } from "./room_devices.ts";
export type { RoomEvents } from "./room_events.ts";
export type { RoomStatus } from "./following.ts";
export type { Cursor } from "./catch_up.ts";
export { isCommandLine, parseCommandLine } from "./command_line.ts";
export type { CommandLine, CommandLineProblem, NamedDevice } from "./command_line.ts";
export { Timeline } from "./timeline.ts";
export { Outbox } from "./outbox.ts";
export type { OutboxItem, OutboxStore } from "./outbox.ts";
export { applyPresence } from "./presence.ts";
export type { PresenceChange } from "./presence.ts";
export { RestClient } from "./rest.ts";
export { OwnDevices } from "./own_devices.ts";
export { claimDevice } from "./device_claim.ts";
export type { ClaimDeviceOptions } from "./device_claim.ts";
export type { CommandOptions, DesiredWish, MessageChange } from "./rest.ts";
export { SessionTokens } from "./tokens.ts";
export type { Session, SessionStore, SessionTokensOptions, TokenProvider } from "./tokens.ts";
export { ConfabClientError, toClientError } from "./errors.ts";
export type { ClientCode } from "./errors.ts";
export { Emitter } from "./emitter.ts";
export { systemClock } from "./clock.ts";
export type { Clock } from "./clock.ts";
export type { SocketConstructor, SocketLike } from "./link.ts";
export type * from "./answers.ts";
/** What a room is; {@link Room} follows one. */
export type { Room as RoomInfo } from "../protocol.ts";
export type * from "../protocol.ts";
