/** Severities, least first; `silent` logs nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

const ORDER: LogLevel[] = ["debug", "info", "warn", "error", "silent"];
const SECRET =
  /authorization|cookie|password|secret|token|ticket|jwk|credential|(private|device|access|api)_?key/i;

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
    write(textOf(line));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLog(level, write, { ...base, ...fields }),
  };
}

/** One line of JSON; what JSON cannot hold (a cycle, a getter that throws) costs the fields only. */
function textOf({ at, level, message, ...fields }: Record<string, unknown>): string {
  try {
    return JSON.stringify({ at, level, message, ...fields }, printable);
  } catch (error) {
    return JSON.stringify({ at, level, message, unprintable: String(error) }, printable);
  }
}

/** URLs lose their user, password and secret parameters; errors become objects; secrets go. */
function printable(key: string, value: unknown): unknown {
  if (key !== "" && SECRET.test(key)) return "[hidden]";
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) {
    const { name, message, stack = "", cause } = value;
    const { code } = value as { code?: unknown };
    return {
      name,
      message,
      ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
      stack,
      cause,
      ...(value instanceof AggregateError ? { errors: value.errors } : {}),
    };
  }
  return typeof value === "string" ? hideSecrets(value) : value;
}

/** Without what comes before the last `@` of a URL, secret parameters, bearer tokens and JWTs. */
function hideSecrets(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi, "$1[hidden]@")
    .replace(
      /([?&;][\w-]*(?:ticket|token|secret|key|password)[\w-]*=)[^&\s"']*/gi,
      "$1[hidden]",
    )
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, "$1 [hidden]")
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[hidden]");
}
