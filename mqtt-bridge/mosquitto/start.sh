#!/bin/sh
# Entry point of the Mosquitto container: makes the credentials file of the dynamic security
# plugin at the first start, with the bridge as its administrator, then becomes the broker.
# MQTT_USERNAME and MQTT_PASSWORD are the bridge's own.
set -eu

file=/mosquitto/data/dynamic-security.json
: "${MQTT_PASSWORD:?MQTT_PASSWORD is required}"
user=${MQTT_USERNAME:-confab-bridge}

if [ ! -s "$file" ]; then
  rm -f "$file.new"
  # The tool asks for the password twice; as an argument it would show in the list of processes.
  printf '%s\n%s\n' "$MQTT_PASSWORD" "$MQTT_PASSWORD" |
    mosquitto_ctrl dynsec init "$file.new" "$user" >/dev/null
  # The tool allows every delivery by default, which would let a device that subscribes to "#"
  # read everything: the ACL file must be the only one that grants.
  sed -i 's/"publishClientReceive":[[:space:]]*true/"publishClientReceive": false/' "$file.new"
  mv "$file.new" "$file"
fi
if [ "$(id -u)" = 0 ] && id mosquitto >/dev/null 2>&1; then
  chown -R mosquitto:mosquitto /mosquitto/data
fi
exec mosquitto -c /mosquitto/config/mosquitto.conf
