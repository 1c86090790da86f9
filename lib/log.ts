/** Severities, least first; `silent` logs nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

const ORDER: LogLevel[] = ["debug", "info", "warn", "error", "silent"];
const SECRET = /authorization|cookie|password|secret|token|ticket|jwk|devicekey|credential/i;

/** Writes one JSON object a line. Fields whose name promises a secret are never written. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** The same log with `fields` on every line. */
  with(fields: Record<string, unknown>): Log;
}

/** Makes a log that writes lines of at least `level`; `write` is standard error by default. */
export function createLog(
  level: LogLevel,
  // deno-lint-ignore no-console -- the one place that writes to standard error
  write: (line: string) => void = console.error,
  base: Record<string, unknown> = {},
): Log {
  const at = (name: LogLevel) => (message: string, fields: Record<string, unknown> = {}) => {
    if (ORDER.indexOf(name) < ORDER.indexOf(level)) return;
    const line = { at: new Date().toISOString(), level: name, message, ...base, ...fields };
    write(JSON.stringify(line, printable));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLog(level, write, { ...base, ...fields }),
  };
}

/** URLs lose their user, password and query; errors become objects; secrets become `[hidden]`. */
function printable(key: string, value: unknown): unknown {
  if (key !== "" && SECRET.test(key)) return "[hidden]";
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) {
    return {
      name: value.name,
      message: hideUrls(value.message),
      stack: hideUrls(value.stack ?? ""),
      cause: value.cause,
    };
  }
  return typeof value === "string" ? hideUrls(value) : value;
}

function hideUrls(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1").replace(
    /([?&][\w-]*(?:ticket|token|secret|key|password)[\w-]*=)[^&\s"]*/gi,
    "$1[hidden]",
  );
}
