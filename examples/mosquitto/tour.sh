#!/usr/bin/env bash
# A tour of what devices can do on Confab, with nothing but mosquitto_sub and mosquitto_pub.
#
#   CONFAB_DEVICE=… CONFAB_SECRET=… CONFAB_ROOM=… ./tour.sh
#
# They are the device's id, its password and the id of a room that it is a member of. CONFAB_USERNAME
# is needed after a rotation of the password; CONFAB_HOST and CONFAB_PORT say where the broker is. The
# exit code is 0 when everything came that should come. The tour connects up to three times at once,
# with client ids that begin with the device's id: the embedded broker allows that, Mosquitto as it
# is shipped does not.
set -euo pipefail
umask 077

host=${CONFAB_HOST:-127.0.0.1}
port=${CONFAB_PORT:-1883}
device=${CONFAB_DEVICE:?Set it to the id of the device}
username=${CONFAB_USERNAME:-$device}
secret=${CONFAB_SECRET:?Set it to the password of the device}
room=${CONFAB_ROOM:?Set it to the id of a room of the device}

work=$(mktemp -d)
heard=$work/heard
listener=
mortal=
clean() {
  for child in $listener $mortal; do kill "$child" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

# Both tools read options from a file of their name below XDG_CONFIG_HOME. A password there is in no
# list of processes; on the command line (-P) everybody on the machine can read it.
for tool in mosquitto_sub mosquitto_pub; do
  printf '%s\n' "-h $host" "-p $port" "-u $username" "-P $secret" "-q 1" >"$work/$tool"
done
export XDG_CONFIG_HOME=$work
unset CONFAB_SECRET secret

own=confab/d/$device # everything of a device lies below it
run=tour-$(date +%s)-$$ # something that no other tour has: keys are made of it

say() { printf '\n%s\n' "$*"; }

# expect WHAT TOPIC PATTERN: waits until a message came on this topic that matches.
expect() {
  local end=$((SECONDS + 10))
  until grep -q -e "^$own/$2 .*$3" "$heard"; do
    if ((SECONDS > end)); then
      printf '  missing: %s\nHeard so far:\n' "$1" >&2
      cat "$heard" >&2
      exit 1
    fi
    sleep 0.1
  done
  printf '  %s\n' "$1"
}

# publish TOPIC: publishes what comes on standard input, as it stands, with QoS 1.
publish() { mosquitto_pub -i "$device-speaker" -t "$own/$1" -s; }

heads() { grep -c -e "^$own/rooms/$room/head " "$heard" || true; }

say "1. Listen to the room, to receipts, errors and answers"
mosquitto_sub -i "$device-listener" -v \
  -t "$own/rooms/$room/events" -t "$own/rooms/$room/head" \
  -t "$own/receipts" -t "$own/errors" -t "$own/responses" >"$heard" &
listener=$!
expect "the retained head shows where the room's log stands" "rooms/$room/head" '"seq":'

say "2. Send text: whatever is no envelope is the text of the message, as it stands"
printf 'Hello from %s' "$run" | publish "rooms/$room/send"
expect "it is an entry of the room's log" "rooms/$room/events" "\"text\":\"Hello from $run\""
expect "and its receipt came, with a key that was made for it" receipts '"duplicate":false'

say "3. Send data with a key of one's own"
reading=$(printf '{"data": {"celsius": 21.5}, "clientId": "%s"}' "$run")
printf '%s' "$reading" | publish "rooms/$room/send"
expect "the receipt: it is stored" receipts "\"clientId\":\"$run\".*\"duplicate\":false"

say "4. Send it again, as a device does that has not seen the receipt"
printf '%s' "$reading" | publish "rooms/$room/send"
expect "the receipt says that it was there" receipts "\"clientId\":\"$run\".*\"duplicate\":true"
printf '{"data": {"celsius": 99}, "clientId": "%s"}' "$run" | publish "rooms/$room/send"
expect "other content under the same key is refused" errors '"code":"client_id_reused"'

say "5. Ask for history, from the entry before it"
receipt=$(grep -m 1 -e "^$own/receipts .*\"clientId\":\"$run\"" "$heard")
seq=$(sed -E 's/.*"seq":([0-9]+).*/\1/' <<<"$receipt")
printf '{"requestId": "%s", "type": "log", "room": "%s", "after": %d, "limit": 1}' \
  "$run" "$room" $((seq - 1)) | publish requests
expect "the answer has the entry, with its seq" responses "\"requestId\":\"$run\".*\"seq\":$seq,"

say "6. Say that the device is there"
before=$(heads)
printf '{"online": true, "session": %d}' "$(date +%s)" |
  mosquitto_pub -i "$device-speaker" -t "$own/status" -r -s
end=$((SECONDS + 10))
until (($(heads) > before)); do
  ((SECONDS <= end)) || { echo "  missing: the head after the birth" >&2; exit 1; }
  sleep 0.1
done
echo "  the head came again: a device that is back learns whether it missed something"

say "7. Leave a last will and lose the connection"
# A last will is a publish like any other: one in the room's send topic is a message.
mosquitto_sub -i "$device-mortal" -t "$own/rooms/$room/head" \
  --will-topic "$own/rooms/$room/send" --will-qos 1 \
  --will-payload "{\"text\": \"Cut off: $run\", \"clientId\": \"$run-will\"}" >"$work/mortal" &
mortal=$!
disown "$mortal"
end=$((SECONDS + 10))
until [ -s "$work/mortal" ]; do # it has heard the head, so it is connected
  ((SECONDS <= end)) || { echo "  missing: the head of the second listener" >&2; exit 1; }
  sleep 0.1
done
kill -KILL "$mortal"
mortal=
expect "the broker sent its last will" "rooms/$room/events" "\"text\":\"Cut off: $run\""
expect "which is stored like any message" receipts "\"clientId\":\"$run-will\""

printf '{"online": false, "session": %d}' "$(date +%s)" |
  mosquitto_pub -i "$device-speaker" -t "$own/status" -r -s
say "Everything came"
