/** The topics that are of use to a person who speaks MQTT with credentials of their own. */
export function personalTopics(prefix: string, device: string) {
  const { telemetry: _, reported: __, desired: ___, commands: ____, replies: _____, ...rest } =
    deviceTopics(prefix, device);
  return rest;
}

/** The topics of a device; those of a room hold the placeholder `{room}`. */
export function deviceTopics(prefix: string, device: string) {
  const own = `${prefix}d/${device}/`;
  return {
    send: `${own}rooms/{room}/send`,
    events: `${own}rooms/{room}/events`,
    head: `${own}rooms/{room}/head`,
    telemetry: `${own}rooms/{room}/telemetry`,
    reported: `${own}rooms/{room}/reported`,
    desired: `${own}rooms/{room}/desired`,
    commands: `${own}commands`,
    replies: `${own}replies`,
    status: `${own}status`,
    receipts: `${own}receipts`,
    errors: `${own}errors`,
    requests: `${own}requests`,
    responses: `${own}responses`,
  };
}
