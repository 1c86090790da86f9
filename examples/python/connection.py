"""One connection to the broker, for paho-mqtt 1.6 and 2, without threads."""

import json
import logging
import select
import time
from typing import Any, Callable, Dict, List, Optional

import paho.mqtt.client as mqtt

CONNECT_SECONDS = 15
KEEPALIVE_SECONDS = 30
# What a device hears, below its own topic.
DOWN = ("receipts", "errors", "responses", "rooms/+/events", "rooms/+/head")


class Connection:
    """A connection from its beginning to its end: afterwards `ended` is true. Never again.

    `on_online()` is called when it can be used, `on_message(name, payload)` with what comes. The
    number `session` is in its last will; the birth that is published must have the same.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: bool,
        device: str,
        username: str,
        secret: str,
        session: int,
        on_online: Callable[[], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        self.session = session
        self.online = False
        self.ended = False
        self._own = f"confab/d/{device}/"
        self._tls = tls
        self._on_online = on_online
        self._on_message = on_message
        self._deadline = time.monotonic() + CONNECT_SECONDS
        options: Dict[str, Any] = {
            "client_id": device,
            "clean_session": True,
            "protocol": mqtt.MQTTv311,
        }
        if hasattr(mqtt, "CallbackAPIVersion"):  # paho-mqtt 2
            self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **options)
        else:
            self._client = mqtt.Client(**options)
        self._client.username_pw_set(username, secret)
        if tls:
            self._client.tls_set()
        will = json.dumps({"online": False, "session": session})
        self._client.will_set(f"{self._own}status", will, qos=1, retain=True)
        # The callbacks of paho-mqtt 1 and 2 differ in what comes after these arguments.
        self._client.on_connect = lambda client, userdata, flags, reason, *_: self._connected(reason)
        self._client.on_subscribe = lambda *_: self._subscribed()
        self._client.on_message = lambda client, userdata, message: self._received(message)
        try:
            self._client.connect(host, port, keepalive=KEEPALIVE_SECONDS)
        except OSError as error:
            logging.warning("%s:%s: %s", host, port, error)
            self._end()

    def publish(self, name: str, payload: Dict[str, Any], retain: bool = False) -> Any:
        """Publishes with QoS 1; the result's `is_published()` tells whether the PUBACK has come."""
        return self._client.publish(f"{self._own}{name}", json.dumps(payload), 1, retain)

    def wait(self, seconds: float, others: List[int]) -> List[int]:
        """Waits for the broker, or for one of the other file descriptors; those that are ready."""
        socket = None if self.ended else self._client.socket()
        reading: List[Any] = [*others] if socket is None else [*others, socket]
        writing = [socket] if socket is not None and self._client.want_write() else []
        # A decrypted packet may wait inside the TLS socket, where select() does not see it.
        pending = self._tls and socket is not None and socket.pending() > 0
        ready, writable, _ = select.select(reading, writing, [], 0 if pending else seconds)
        if not self.ended:
            self._work(pending or socket in ready, bool(writable))
        return [one for one in others if one in ready]

    def close(self) -> None:
        """Says that it ends, so that the broker sends no last will."""
        if not self.ended:
            self._client.disconnect()
            self._end()

    def _work(self, readable: bool, writable: bool) -> None:
        results = [
            self._client.loop_read() if readable else mqtt.MQTT_ERR_SUCCESS,
            self._client.loop_write() if writable else mqtt.MQTT_ERR_SUCCESS,
            self._client.loop_misc(),
        ]
        if any(result != mqtt.MQTT_ERR_SUCCESS for result in results):
            self._end()
        elif not self.online and time.monotonic() > self._deadline:
            logging.warning("The broker does not answer")
            self.close()

    def _end(self) -> None:
        self.online = False
        self.ended = True

    def _connected(self, reason: Any) -> None:
        if reason != 0:
            logging.warning("The broker refuses the connection: %s", reason)
        else:
            self._client.subscribe([(f"{self._own}{name}", 1) for name in DOWN])

    def _subscribed(self) -> None:
        self.online = True
        self._on_online()

    def _received(self, message: mqtt.MQTTMessage) -> None:
        try:
            self._on_message(message.topic[len(self._own) :], message.payload)
        except (ValueError, KeyError, TypeError) as error:
            logging.warning("%s: %r", message.topic, error)
