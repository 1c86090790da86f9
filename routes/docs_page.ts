import { html, raw } from "hono/html";
import { CLOSE, ERRORS } from "../lib/errors.ts";
import { DOCS_STYLE } from "./docs_style.ts";
import { join, type Markup, row, schemaMarkup } from "./docs_schema.ts";
import type { OpenApi, Operation } from "./openapi.ts";

/** The OpenAPI document as one page without scripts. */
export function docsPage(document: OpenApi): Markup {
  const { info, tags, components } = document;
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${info.title} ${info.version}: the API</title>
        <style>${raw(DOCS_STYLE)}</style>
      </head>
      <body>
        <header>
          <h1>${info.title} ${info.version}</h1>
          <p>${prose(info.description)}</p>
          <p>For programs: <a href="/openapi.json">openapi.json</a>, and
    <a href="/asyncapi.json">asyncapi.json</a> for the WebSocket, the event streams and MQTT. Send
    <code>Authorization: Bearer …</code> with an access token where an endpoint says “signed in”.</p>
        </header>
        <nav aria-label="Contents">${tags.map(({ name }) => contentsOf(name, document))}
    <section><h3>More</h3><ul><li><a href="#schemas">Schemas</a></li><li><a href="#errors">Error
    codes</a></li><li><a href="#closes">Close codes</a></li></ul></section></nav>
        <main>
    ${tags.map(({ name, description }) => chapterOf(name, description, document))}
    <h2 id="schemas">Schemas</h2>
    ${Object.entries(components.schemas).map(([name, schema]) =>
      html`
        <article id="schema-${name}">
          <h3>${name}</h3>
          <p>${prose(String(schema.description ?? ""))}</p>
          <div class="wide">${schemaMarkup(schema)}</div>
        </article>
      `
    )}
    ${errorTables()}
        </main>
      </body>
    </html>
  `;
}

function operationsOf(tag: string, { paths }: OpenApi): [string, string, Operation][] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, operation]) => operation.tags.includes(tag))
      .map(([method, operation]): [string, string, Operation] => [method, path, operation])
  );
}

function contentsOf(tag: string, document: OpenApi): Markup {
  const items = operationsOf(tag, document).map(([, , { operationId, summary }]) =>
    html`<li><a href="#${operationId}">${summary}</a></li>`
  );
  return html`
    <section>
      <h3><a href="#tag-${tag}">${tag}</a></h3>
      <ul>${items}</ul>
    </section>
  `;
}

function chapterOf(tag: string, description: string, document: OpenApi): Markup {
  return html`<h2 id="tag-${tag}">${tag}</h2><p>${description}</p>
${
    operationsOf(tag, document).map(([method, path, operation]) =>
      operationMarkup(method, path, operation)
    )
  }`;
}

function operationMarkup(method: string, path: string, operation: Operation): Markup {
  const { operationId, summary, description, security, parameters, requestBody } = operation;
  const signedIn = security.length > 0 ? "Signed in. " : "";
  return html`<article id="${operationId}">
<h3>${summary}</h3>
<p><b class="method">${method.toUpperCase()}</b> <code>${path}</code></p>
<p>${signedIn}${prose(description ?? "")}</p>
${
    parameters === undefined ? "" : html`
      <h4>Parameters</h4>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col"></th>
            </tr>
          </thead>
          <tbody>
      ${parameters.map(({ name, schema, required }) => row(name, schema, required))}</tbody>
        </table>
      </div>
    `
  }
${requestBody === undefined ? "" : bodyMarkup(requestBody)}
<h4>Answers</h4><dl>${
    Object.entries(operation.responses).filter(([, { content }]) => codesOf(content).length === 0)
      .map(([status, { description, content }]) =>
        html`
          <dt>${status}</dt>
          <dd>${prose(description)}${contentMarkup(content)}</dd>
        `
      )
  }</dl>
<p>Errors: ${errorsMarkup(operation)}</p>
</article>`;
}

function bodyMarkup({ content }: NonNullable<Operation["requestBody"]>): Markup {
  const { schema, example } = Object.values(content)[0]!;
  return html`<h4>Body (${Object.keys(content).join(" or ")})</h4>
<div class="wide">${schemaMarkup(schema)}</div>
${example === undefined ? "" : html`<pre><code>${JSON.stringify(example, null, 2)}</code></pre>`}`;
}

function contentMarkup(content: Operation["responses"][string]["content"]): Markup {
  const schema = content?.["application/json"]?.schema;
  return schema === undefined ? html`` : html`<div class="wide">${schemaMarkup(schema)}</div>`;
}

/** The error codes of a response, in the form that openApiOf() gives it. */
function codesOf(content: Operation["responses"][string]["content"]): string[] {
  const schema = content?.["application/problem+json"]?.schema as
    | { allOf: [unknown, { properties: { code: { enum: string[] } } }] }
    | undefined;
  return schema?.allOf[1].properties.code.enum ?? [];
}

function errorsMarkup({ responses }: Operation): Markup {
  const links = Object.entries(responses).flatMap(([status, { content }]) =>
    codesOf(content).map((code) =>
      html`<a href="#error-${code}"><code>${code}</code></a> (${status})`
    )
  );
  return join(links, ", ");
}

function errorTables(): Markup {
  return html`
    <h2 id="errors">Error codes</h2>
    <p>HTTP, WebSocket and MQTT share them. Programs act on the code, never on the sentence.</p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Code</th>
            <th scope="col">Status</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>${Object.entries(ERRORS).map(([code, { status, title }]) =>
          html`
            <tr id="error-${code}">
              <td><code>${code}</code></td>
              <td>${status}</td>
              <td>${title}</td>
            </tr>
          `
        )}</tbody>
      </table>
    </div>
    <h2 id="closes">Close codes of the WebSocket</h2>
    <p>4000 to 4499: come back with backoff. 4500 to 4999: stay away until something has changed.</p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Code</th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>${Object.values(CLOSE).map(({ code, reason }) =>
          html`
            <tr>
              <td>${code}</td>
              <td>${reason}</td>
            </tr>
          `
        )}</tbody>
      </table>
    </div>
  `;
}

/** Text in which backquotes mark code. */
function prose(text: string): Markup {
  return join(text.split("`").map((part, i) => i % 2 === 1 ? html`<code>${part}</code>` : part));
}
