import { argon2id, argon2Verify } from "hash-wasm";
import { type Argon2, ARGON2_PARAMETERS } from "./argon2.ts";

/** One job of the worker and its answer, matched by `id`. */
export interface Argon2Job {
  id: number;
  password: Uint8Array;
  /** Present: verify; absent: hash. */
  phc?: string;
}
/** `hash` for a hash, `valid` for a verification, `error` when it could not be done. */
export interface Argon2Answer {
  id: number;
  hash?: string;
  valid?: boolean;
  error?: string;
}

/** Time a worker gets for one job before it is given up, in milliseconds. */
const JOB_TIMEOUT_MS = 15_000;

/** WebAssembly in this thread: each call blocks it for about 100 ms. */
export function inlineArgon2(): Argon2 {
  return {
    name: "inline",
    concurrency: 1,
    hash: (password) =>
      argon2id({
        password,
        salt: crypto.getRandomValues(new Uint8Array(ARGON2_PARAMETERS.saltBytes)),
        memorySize: ARGON2_PARAMETERS.memoryKib,
        iterations: ARGON2_PARAMETERS.passes,
        parallelism: ARGON2_PARAMETERS.lanes,
        hashLength: ARGON2_PARAMETERS.hashBytes,
        outputType: "encoded",
      }),
    verify: (phc, password) => argon2Verify({ password, hash: phc }),
    [Symbol.dispose]() {},
  };
}

interface Waiting {
  resolve(answer: Argon2Answer): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * WebAssembly in a Worker. A worker that fails or misses its deadline is replaced.
 * Throws where the first worker does not start.
 */
export async function workerArgon2(): Promise<Argon2> {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let lastId = 0;

  const stop = (reason: string) => {
    worker?.terminate();
    worker = undefined;
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer);
      reject(new Error(reason));
    }
    waiting.clear();
  };
  const start = () => {
    const started = new Worker(new URL("./argon2_worker.ts", import.meta.url), { type: "module" });
    started.onmessage = (event: MessageEvent<Argon2Answer>) => {
      const job = waiting.get(event.data.id);
      if (job === undefined) return;
      waiting.delete(event.data.id);
      clearTimeout(job.timer);
      job.resolve(event.data);
    };
    started.onerror = (event) => {
      event.preventDefault();
      if (worker === started) stop(`The argon2 worker failed: ${event.message}`);
    };
    return started;
  };
  const run = async (job: Omit<Argon2Job, "id">): Promise<Argon2Answer> => {
    worker ??= start();
    const id = ++lastId;
    const answered = new Promise<Argon2Answer>((resolve, reject) => {
      const timer = setTimeout(() => stop("The argon2 worker did not answer"), JOB_TIMEOUT_MS);
      waiting.set(id, { resolve, reject, timer });
    });
    worker.postMessage({ id, ...job } satisfies Argon2Job);
    const answer = await answered;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };

  try {
    await run({ password: new Uint8Array(1) });
  } catch (error) {
    stop("The argon2 worker did not start");
    throw error;
  }
  return {
    name: "worker",
    concurrency: 1,
    hash: async (password) => (await run({ password })).hash!,
    verify: async (phc, password) => (await run({ password, phc })).valid!,
    [Symbol.dispose]: () => stop("The argon2 worker was stopped"),
  };
}
