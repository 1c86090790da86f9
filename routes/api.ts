import { type Handler, Hono, type MiddlewareHandler } from "hono";
import type { z } from "zod";
import { ConfabError } from "../lib/errors.ts";
import type { AppEnv } from "./context.ts";
import {
  type Answer,
  type Definition,
  type EndpointRequest,
  honoPath,
  type Outcomes,
  type SignedInRequest,
} from "./endpoint.ts";
import { validatorsOf } from "./validation.ts";

/** The statuses come from the definition alone, so that an undeclared one is an error here. */
type Answering<R extends Outcomes> = Answer<NoInfer<R>> | Promise<Answer<NoInfer<R>>>;

/** The app and what is documented about it. Endpoints are added before the first request. */
export class Api {
  readonly app: Hono<AppEnv> = new Hono<AppEnv>();
  /** In the order in which they were added. */
  readonly endpoints: Definition[] = [];

  /** Adds an endpoint that somebody who is signed in may call. */
  add<
    P extends z.ZodType,
    Q extends z.ZodType,
    B extends z.ZodType,
    R extends Outcomes,
  >(
    definition: Definition<P, Q, B, R> & { access: "signed-in" },
    handle: (request: SignedInRequest<z.output<P>, z.output<Q>, z.output<B>>) => Answering<R>,
  ): void {
    this.#add(definition, (request) => {
      const { principal } = request.c.var;
      if (principal === undefined) throw new ConfabError("unauthenticated");
      return handle({ ...request, principal } as never);
    });
  }

  /** Adds an endpoint for anyone. */
  addOpen<
    P extends z.ZodType,
    Q extends z.ZodType,
    B extends z.ZodType,
    R extends Outcomes,
  >(
    definition: Definition<P, Q, B, R> & { access: "anyone" },
    handle: (request: EndpointRequest<z.output<P>, z.output<Q>, z.output<B>>) => Answering<R>,
  ): void {
    this.#add(definition, (request) => handle(request as never));
  }

  /**
   * Adds an endpoint that makes its own Response, such as a stream, a socket or a page. Declared
   * params and queries are validated (`c.req.valid`), access is the handler's business.
   */
  addRaw(definition: Definition, handler: Handler<AppEnv>): void {
    this.endpoints.push(definition);
    const checked = definition.params !== undefined || definition.query !== undefined;
    this.#route(definition, [...(checked ? validatorsOf(definition) : []), handler]);
  }

  #add(
    definition: Definition,
    handle: (request: EndpointRequest<unknown, unknown, unknown>) => Promise<AnyAnswer> | AnyAnswer,
  ): void {
    this.endpoints.push(definition);
    const handlers = [...validatorsOf(definition), handlerOf(handle)];
    this.#route(
      definition,
      definition.access === "signed-in" ? [requireSignedIn, ...handlers] : handlers,
    );
  }

  #route({ method, path }: Definition, handlers: Handler<AppEnv>[]): void {
    this.app.on(method, [honoPath(path)], ...handlers);
  }
}

interface AnyAnswer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Refuses those who are not signed in, before anything of the request is looked at. */
export const requireSignedIn: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.var.refusal !== undefined) throw c.var.refusal;
  if (c.var.principal === undefined) throw new ConfabError("unauthenticated");
  await next();
};

function handlerOf(
  handle: (request: EndpointRequest<unknown, unknown, unknown>) => Promise<AnyAnswer> | AnyAnswer,
): Handler<AppEnv> {
  return async (c) => {
    // Hono types what was validated per route; here the definition is what types it.
    const valid = c.req.valid.bind(c.req) as unknown as (target: string) => unknown;
    const answer = await handle({
      context: c.var.context,
      params: valid("param"),
      query: valid("query"),
      body: valid("json") ?? valid("form"),
      c,
    });
    const { status, body, headers = {} } = answer;
    return body === undefined
      ? new Response(null, { status, headers })
      : Response.json(body, { status, headers });
  };
}
