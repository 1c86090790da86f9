import { zValidator } from "@hono/zod-validator";
import type { MiddlewareHandler } from "hono";
import { z } from "zod";
import { ConfabError, type FieldError } from "../lib/errors.ts";
import { isForm, readBody } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { type Definition, takesBody } from "./endpoint.ts";

/** Wrong fields that one answer names. */
const MAX_ERRORS = 20;
const MAX_CHARS = 200;

const nothing = z.strictObject({});

/** The middleware that checks params, query and body as the definition says, in this order. */
export function validatorsOf(definition: Definition): MiddlewareHandler<AppEnv>[] {
  const { params, query, body, form = false } = definition;
  const validators: MiddlewareHandler<AppEnv>[] = [];
  if (params !== undefined) {
    validators.push(zValidator("param", params, (result) => {
      if (!result.success) throw new ConfabError("not_found");
    }));
  }
  validators.push(zValidator("query", query ?? nothing, refuse));
  if (takesBody(definition)) {
    const asJson: MiddlewareHandler<AppEnv> = zValidator("json", body ?? nothing, refuse);
    const asForm: MiddlewareHandler<AppEnv> = zValidator("form", body ?? nothing, refuse);
    validators.push(
      readBody({ form }),
      form ? (c, next) => (isForm(c.req.raw.headers) ? asForm : asJson)(c, next) : asJson,
    );
  }
  return validators;
}

function refuse(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (result.success) return;
  throw new ConfabError("invalid_request", undefined, {
    errors: fieldErrors(result.error?.issues ?? []),
  });
}

/** What is wrong with which field: at most 20, in texts of at most 200 characters. */
export function fieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of issues) {
    if (errors.length >= MAX_ERRORS) break;
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys.slice(0, MAX_ERRORS - errors.length)) {
        errors.push({ path: shortened([...path, key].join(".")), message: "is not a known field" });
      }
    } else errors.push({ path: shortened(path.join(".")), message: shortened(issue.message) });
  }
  return errors;
}

function shortened(text: string): string {
  return (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text).toWellFormed();
}
