/** The thread that computes argon2 where no native code loads. */
import { type Argon2Answer, type Argon2Job, inlineArgon2 } from "./argon2_wasm.ts";

/** What a worker's global scope has; the project is checked with the types of a window. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Argon2Job>) => void) | null;
  postMessage(answer: Argon2Answer): void;
}

const scope = globalThis as unknown as WorkerScope;
const argon2 = inlineArgon2();

scope.onmessage = async ({ data: { id, password, phc } }) => {
  try {
    scope.postMessage(
      phc === undefined
        ? { id, hash: await argon2.hash(password) }
        : { id, valid: await argon2.verify(phc, password) },
    );
  } catch (error) {
    scope.postMessage({ id, error: String(error) });
  }
};
