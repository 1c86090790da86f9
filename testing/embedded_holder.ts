/** Runs the cluster in the folder named by its argument until it is killed; prints its URL. */
import { startEmbedded } from "../lib/database/embedded.ts";
import { BINARIES } from "./cluster.ts";

if (import.meta.main) {
  const { url, exited } = await startEmbedded({ dir: Deno.args[0]!, bin: BINARIES });
  // deno-lint-ignore no-console -- the answer to the test that started this program
  console.log(url);
  await exited;
}
