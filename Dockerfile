# One image for every role; ROLES says which of them a container plays.
FROM node:22-bookworm-slim

ARG DENO_VERSION=2.9.6
RUN npm install --global --no-audit --no-fund "deno@${DENO_VERSION}" && npm cache clean --force

ENV DENO_DIR=/deno DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1 HOST=0.0.0.0 \
  PORT=8000 PROBES_PORT=8000
WORKDIR /app
RUN mkdir /deno && chown node:node /deno /app
USER node

COPY --chown=node:node . .
# Everything that main.ts may import, also lazily, with the versions and hashes of the lock file.
RUN deno install --frozen --entrypoint main.ts lib/database/migrate_cli.ts

EXPOSE 8000
# Each role in a container of its own: without the role web, this is asked of PROBES_PORT.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["deno", "eval", "const r = await fetch(`http://127.0.0.1:${Deno.env.get('PORT')}/healthz`); Deno.exit(r.ok ? 0 : 1)"]

CMD ["deno", "run", "-A", "main.ts"]
