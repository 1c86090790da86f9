import type { DeviceStatus, Metadata, PrincipalId } from "../protocol.ts";
import type {
  ClaimApproval,
  CommandDefinition,
  Device,
  DeviceAnswer,
  NewDevice,
  Page,
} from "./answers.ts";
import type { RestClient } from "./rest.ts";

/** The devices that are one's own, and what only their owner may do. Part of {@link RestClient}. */
export class OwnDevices {
  #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  /** Makes a device; its password is in this answer only. */
  create(device: NewDevice): Promise<DeviceAnswer> {
    return this.#rest.request("POST", "/v1/devices", { body: device });
  }

  list(next?: string | null): Promise<Page<Device>> {
    return this.#rest.request("GET", "/v1/devices", { query: { next } });
  }

  /** `not_found` for a device that is not one's own. */
  get(device: PrincipalId): Promise<{ device: Device }> {
    return this.#rest.request("GET", `/v1/devices/${device}`);
  }

  rename(device: PrincipalId, name: string): Promise<{ device: Device }> {
    return this.#rest.request("PATCH", `/v1/devices/${device}`, { body: { name } });
  }

  /** Ends a device for good; its messages stay. */
  delete(device: PrincipalId): Promise<void> {
    return this.#rest.request("DELETE", `/v1/devices/${device}`);
  }

  /**
   * Replaces the password. The former one is good for `graceSeconds` more, at most 604,800; while it
   * is, rotating with a grace answers with the same new one. With 0 all former ones end at once.
   */
  rotate(device: PrincipalId, graceSeconds = 0): Promise<DeviceAnswer> {
    return this.#rest.request("POST", `/v1/devices/${device}/rotate`, { body: { graceSeconds } });
  }

  /** Ends the former password before its grace is over. */
  endFormerSecret(device: PrincipalId): Promise<{ device: Device }> {
    return this.#rest.request("DELETE", `/v1/devices/${device}/former-secret`);
  }

  /** Ends its access until it is enabled again; it stays in its rooms. */
  disable(device: PrincipalId): Promise<{ device: Device }> {
    return this.#rest.request("POST", `/v1/devices/${device}/disable`);
  }

  enable(device: PrincipalId): Promise<{ device: Device }> {
    return this.#rest.request("POST", `/v1/devices/${device}/enable`);
  }

  /** Says how often it should be heard, 10 to 604,800 s; null: it need not. */
  expect(device: PrincipalId, expectedSeconds: number | null): Promise<DeviceStatus> {
    return this.#rest.request("PUT", `/v1/devices/${device}/expectation`, {
      body: { expectedSeconds },
    });
  }

  /** The JSON Schema of the data in its messages; null: any data. */
  schema(device: PrincipalId): Promise<{ schema: Metadata | null }> {
    return this.#rest.request("GET", `/v1/devices/${device}/schema`);
  }

  /** `invalid_request` tells in `errors` which part of the schema is not taken. */
  setSchema(device: PrincipalId, schema: Metadata | null): Promise<{ schema: Metadata | null }> {
    return this.#rest.request("PUT", `/v1/devices/${device}/schema`, { body: { schema } });
  }

  /** The commands that it takes; null: every command. */
  commands(device: PrincipalId): Promise<{ commands: CommandDefinition[] | null }> {
    return this.#rest.request("GET", `/v1/devices/${device}/commands`);
  }

  /** Replaces them all; others are refused from then on. */
  setCommands(
    device: PrincipalId,
    commands: CommandDefinition[] | null,
  ): Promise<{ commands: CommandDefinition[] | null }> {
    return this.#rest.request("PUT", `/v1/devices/${device}/commands`, { body: { commands } });
  }

  /** Takes in the device that shows a code, see `claimDevice()`; `not_found`, `claim_expired`. */
  approveClaim(claim: ClaimApproval): Promise<{ device: Device }> {
    return this.#rest.request("POST", "/v1/device-claims/approve", { body: claim });
  }
}
