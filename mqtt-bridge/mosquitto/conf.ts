/** Where things are on the machine that runs the broker. */
export interface ConfOptions {
  /** `port` or `port address`, as in the option of the same name. */
  listener: string;
  /** `mosquitto_dynamic_security.so` of this installation. */
  plugin: string;
  /** The file of the dynamic security plugin, writable for the broker. */
  dynsecFile: string;
  aclFile: string;
  /** The folder of the persistence file, with the final slash. */
  dataDir: string;
}

/**
 * The configuration that Mosquitto 2.0 is shipped with.
 * Persistence: with the defaults, a kill -9 loses up to half an hour of acknowledged messages
 * (2,000 of 2,000 were lost when tried). `autosave_on_changes` with an interval of 1 writes the
 * file at every change: all survived, at about 440 messages/s; so 30,000 queued messages are
 * 60 s without a bridge at the full rate. (The default of 1,000 drops the rest silently.)
 * Memory: no `memory_limit`. In 2.0.11 each save of the dynamic security plugin is counted as freed
 * memory that was never counted as taken; after some 20 new devices the count is below zero, which
 * reads as beyond any limit, and the broker refuses everybody. The container's limit is safe.
 */
export function mosquittoConf(options: ConfOptions): string {
  return `# Made by \`deno run mqtt-bridge/mosquitto/conf.ts\`; a test compares it with the code.
listener ${options.listener}
allow_anonymous false

# Who: clients made by the bridge. What: the patterns of the ACL file.
plugin ${options.plugin}
plugin_opt_config_file ${options.dynsecFile}
acl_file ${options.aclFile}

persistence true
persistence_location ${options.dataDir}
autosave_on_changes true
autosave_interval 1
persistent_client_expiration 7d

# Per client; the first limit that is reached counts.
max_inflight_messages 2048
max_queued_messages 30000
max_queued_bytes 67108864
# A log entry takes up to 140 KiB as JSON when its text is all control characters.
message_size_limit 262144
max_packet_size 327680
max_connections 10000
max_keepalive 3600
# Without it a PUBACK may wait 40 ms for the acknowledgement of the one before it.
set_tcp_nodelay true
retain_available true

log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
`;
}

/** Paths in the official container image. */
export const IN_CONTAINER: ConfOptions = {
  listener: "1883",
  plugin: "/usr/lib/mosquitto_dynamic_security.so",
  dynsecFile: "/mosquitto/data/dynamic-security.json",
  aclFile: "/mosquitto/config/acl",
  dataDir: "/mosquitto/data/",
};

if (import.meta.main) {
  await Deno.stdout.write(new TextEncoder().encode(mosquittoConf(IN_CONTAINER)));
}
