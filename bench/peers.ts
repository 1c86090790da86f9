const FILES = new URL("./peers/", import.meta.url);

/**
 * Installs the peers that run on Node, at the versions of `peers/package-lock.json`, into the
 * user's cache folder, once for each state of that file. Throws a sentence when that fails.
 */
export async function installPeers(log: (line: string) => void): Promise<string> {
  const lock = await Deno.readFile(new URL("package-lock.json", FILES));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", lock)).toHex().slice(0, 12);
  const folder = `${cacheFolder()}/confab-bench/peers-${digest}`;
  const complete = `${folder}/.complete`;
  if (await Deno.stat(complete).then(() => true, () => false)) return folder;
  log(`  installing the peers into ${folder}`);
  await Deno.mkdir(folder, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) {
    await Deno.copyFile(new URL(name, FILES), `${folder}/${name}`);
  }
  const output = await new Deno.Command("npm", {
    // Without a network it shall fail soon: then they are left out.
    args: ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"],
    cwd: folder,
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output().catch((error) => {
    throw new Error(`npm: ${error.message}`);
  });
  if (!output.success) {
    const [reason] = new TextDecoder().decode(output.stderr).split("\n").filter((line) =>
      line.includes("error")
    );
    throw new Error(`npm ci failed: ${reason ?? "it does not say why"}`);
  }
  await Deno.writeTextFile(complete, "");
  return folder;
}

/** The versions of what is compared and used: `{"ws": "8.0.0", …}`. */
export async function peerVersions(): Promise<Record<string, string>> {
  const { dependencies } = JSON.parse(await Deno.readTextFile(new URL("package.json", FILES)));
  const asked = await Promise.all([
    versionOf("node", "--version", /v([\d.]+)/),
    versionOf("mosquitto", "-h", /mosquitto version ([\d.]+)/),
    versionOf("redis-server", "--version", /v=([\d.]+)/),
  ]);
  return { ...dependencies, ...Object.fromEntries(asked.flat()) };
}

async function versionOf(command: string, flag: string, pattern: RegExp) {
  try {
    const { stdout } = await new Deno.Command(command, { args: [flag], stderr: "null" }).output();
    const version = pattern.exec(new TextDecoder().decode(stdout))?.[1];
    return version === undefined ? [] : [[command, version]];
  } catch {
    return []; // it is not there, which is said where it would be measured
  }
}

/** How to start a peer that runs on Node; `folder` is that of installPeers(). */
export function peerProgram(name: string, folder: string, ...args: string[]) {
  return {
    command: "node",
    args: [new URL(`${name}.mjs`, FILES).pathname, ...args],
    cwd: folder,
  };
}

function cacheFolder(): string {
  return Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
}
