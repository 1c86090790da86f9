/** Prints new keys as lines for `.env`: `deno task keys >> .env`. */
import { generateKeys } from "./keys.ts";

if (import.meta.main) {
  const { jwtPrivateJwk, deviceKey } = await generateKeys();
  const lines = `JWT_PRIVATE_JWK='${jwtPrivateJwk}'\nDEVICE_KEY=${deviceKey}\n`;
  await new Blob([lines]).stream().pipeTo(Deno.stdout.writable);
}
