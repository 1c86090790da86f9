import type { DeviceAnswer, DeviceClaim } from "./answers.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import { ConfabClientError, toClientError } from "./errors.ts";
import { exchange } from "./exchange.ts";

/** Options of {@link claimDevice}. */
export interface ClaimDeviceOptions {
  /** Where Confab is served, such as `https://chat.example.org`. */
  url: string;
  /** What it is called unless whoever takes it in says otherwise. */
  name?: string;
  /** Shows the code, or the address as a QR code, to a person. */
  show(claim: DeviceClaim): void;
  /** Ends the waiting. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
  clock?: Clock;
}

/**
 * Gets credentials for a device that has none, once a person who is signed in has entered its code.
 * Waits as long as the code is good, 15 minutes, also while the server is away.
 *
 * @throws {ConfabClientError} `claim_expired` when nobody did: begin again
 */
export async function claimDevice(options: ClaimDeviceOptions): Promise<DeviceAnswer> {
  const { url, name, show, signal, fetch: send = fetch, clock = systemClock } = options;
  const post = <Answer>(path: string, body: object) =>
    exchange(send, { method: "POST", url: new URL(path, url), body }) as Promise<Answer>;
  signal?.throwIfAborted();
  const begun = await post<DeviceClaim>("/v1/device-claims", name === undefined ? {} : { name });
  const { deviceCode, interval, expiresIn } = begun;
  const end = clock.now() + expiresIn * 1000;
  show(begun);
  let waitSeconds = interval;
  while (clock.now() < end) {
    await passed(clock, waitSeconds * 1000, signal);
    try {
      return await post<DeviceAnswer>("/v1/device-claims/token", { deviceCode });
    } catch (error) {
      const failure = toClientError(error);
      if (failure.code !== "claim_pending" && !failure.transient) throw failure;
      waitSeconds = Math.max(interval, failure.retryAfter ?? 0);
    }
  }
  throw new ConfabClientError("claim_expired", "Nobody entered the code in time");
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
function passed(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    if (signal?.aborted) return stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
