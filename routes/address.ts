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

/** What limits per address count by: an IPv6 customer has a whole /64 (RFC 6177). */
export function addressKey(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [before = "", after] = address.split("%")[0]!.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...new Array<string>(zeros).fill("0"), ...tail];
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":") + "::/64";
}

function isAddress(text: string): boolean {
  if (text.length > 45) return false;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return true;
  return text.includes(":") && URL.canParse(`http://[${text}]/`);
}
