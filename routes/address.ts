/**
 * The client's IP address: of the connection, or with `trustProxy` the last entry of
 * X-Forwarded-For, which is the one that the nearest proxy wrote. Anything that is not an address
 * is "unknown", so that a header cannot make up keys at will.
 */
export function clientAddress(
  headers: Headers,
  connection: Deno.Addr | undefined,
  trustProxy: boolean,
): string {
  if (trustProxy) {
    const last = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
    if (last !== undefined) return isAddress(last) ? last.toLowerCase() : "unknown";
  }
  return connection !== undefined && "hostname" in connection ? connection.hostname : "unknown";
}

function isAddress(text: string): boolean {
  if (text.length > 45) return false;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return true;
  return text.includes(":") && URL.canParse(`http://[${text}]/`);
}
