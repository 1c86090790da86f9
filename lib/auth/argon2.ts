/** Computes argon2id hashes in PHC string format; the implementations read each other's strings. */
export interface Argon2 extends Disposable {
  /** Name for the log. */
  readonly name: "native" | "worker" | "inline";
  /** Hashes that make sense at once; more only fill memory (19 MiB each). */
  readonly concurrency: number;
  hash(password: Uint8Array): Promise<string>;
  /** Throws when `phc` is not a PHC string of argon2. */
  verify(phc: string, password: Uint8Array): Promise<boolean>;
}

/** The OWASP Password Storage Cheat Sheet's first argon2id choice of 19 MiB. */
export const ARGON2_PARAMETERS = {
  memoryKib: 19456,
  passes: 2,
  lanes: 1,
  saltBytes: 16,
  hashBytes: 32,
} as const;

/** The fastest implementation that this place can run: native, else WebAssembly off the event loop. */
export async function loadArgon2(): Promise<Argon2> {
  try {
    return await nativeArgon2();
  } catch {
    // No native binary for this platform, or native code is not allowed here.
  }
  const { inlineArgon2, workerArgon2 } = await import("./argon2_wasm.ts");
  try {
    return await workerArgon2();
  } catch {
    return inlineArgon2();
  }
}

/** Rust code on a thread pool. Throws where it does not load. */
export async function nativeArgon2(): Promise<Argon2> {
  const { hash, verify } = await import("@node-rs/argon2");
  const argon2id = 2;
  const options = {
    algorithm: argon2id,
    memoryCost: ARGON2_PARAMETERS.memoryKib,
    timeCost: ARGON2_PARAMETERS.passes,
    parallelism: ARGON2_PARAMETERS.lanes,
    outputLen: ARGON2_PARAMETERS.hashBytes,
  };
  return {
    name: "native",
    concurrency: Math.max(1, Math.min(4, navigator.hardwareConcurrency)),
    hash: (password) => hash(password, options),
    verify: (phc, password) => verify(phc, password),
    [Symbol.dispose]() {},
  };
}
