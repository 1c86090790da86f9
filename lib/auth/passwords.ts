import { ConfabError } from "../errors.ts";
import { type Argon2, loadArgon2 } from "./argon2.ts";

/** Hashes and checks passwords with argon2id, off the event loop and a bounded number at a time. */
export interface Passwords extends Disposable {
  /**
   * The PHC string to store.
   *
   * @throws {ConfabError} `overloaded` when too many hashes wait, `invalid_request` for no password
   */
  hash(password: string): Promise<string>;
  /**
   * Whether `password` belongs to `phc`. Without `phc` (nobody has that name) it does the same
   * work on a stand-in and answers false, so that the time tells nothing about the name.
   *
   * @throws {ConfabError} `overloaded` when too many hashes wait
   */
  verify(password: string, phc: string | undefined): Promise<boolean>;
}

/** Stands in for the hash of a person who does not exist: our parameters, a random password. */
const DUMMY_PHC =
  "$argon2id$v=19$m=19456,t=2,p=1$6lVnVv83PIFG4IdVXwLp0w$PTLkk8rJXj37Vf2UsxmWcmmkUphPdnZV6P/BBK8i6L4";

/** More bytes than any accepted password has (256 code points in their longest composed form). */
const MAX_BYTES = 8192;

/** How createPasswords() works; the defaults are for production. */
export interface PasswordOptions {
  /** Makes the implementation on the first use; the best one for this place when absent. */
  load?: () => Promise<Argon2>;
  /** Hashes that may wait per hash that can run, before callers get `overloaded`. */
  maxWaitingPerSlot?: number;
}

/** Makes the hasher. The implementation is loaded with the first password. */
export function createPasswords(options: PasswordOptions = {}): Passwords {
  const { load = loadArgon2, maxWaitingPerSlot = 32 } = options;
  const queue: (() => void)[] = [];
  let loading: Promise<Argon2> | undefined;
  let loaded: Argon2 | undefined;
  let running = 0;
  let pending = 0;
  let disposed = false;

  const engine = async () => {
    loading ??= load();
    try {
      loaded = await loading;
    } catch (error) {
      loading = undefined;
      throw error;
    }
    if (disposed) loaded[Symbol.dispose]();
    return loaded;
  };
  const bounded = async <T>(work: (argon2: Argon2) => Promise<T>): Promise<T> => {
    if (pending >= (loaded?.concurrency ?? 1) * (maxWaitingPerSlot + 1)) {
      throw new ConfabError("overloaded");
    }
    pending++;
    try {
      const argon2 = await engine();
      if (running >= argon2.concurrency) await new Promise<void>((go) => queue.push(go));
      else running++;
      try {
        return await work(argon2);
      } finally {
        // The slot goes straight to the next in line, so nobody overtakes.
        const next = queue.shift();
        if (next === undefined) running--;
        else next();
      }
    } finally {
      pending--;
    }
  };

  return {
    hash: (password) => {
      const bytes = encode(password);
      if (bytes === undefined) {
        return Promise.reject(
          new ConfabError("invalid_request", "The password has a wrong length"),
        );
      }
      return bounded((argon2) => argon2.hash(bytes));
    },
    verify: async (password, phc) => {
      const bytes = encode(password);
      if (bytes === undefined) return false;
      const valid = await bounded((argon2) => argon2.verify(phc ?? DUMMY_PHC, bytes));
      return valid && phc !== undefined;
    },
    [Symbol.dispose]() {
      disposed = true;
      loaded?.[Symbol.dispose]();
    },
  };
}

/**
 * The bytes that are hashed: NFKC, so that the same password typed on another keyboard or system
 * is the same (NIST SP 800-63B). Undefined for lengths that are never accepted.
 */
function encode(password: string): Uint8Array | undefined {
  if (password.length > MAX_BYTES) return undefined;
  const bytes = new TextEncoder().encode(password.normalize("NFKC"));
  return bytes.length === 0 || bytes.length > MAX_BYTES ? undefined : bytes;
}
