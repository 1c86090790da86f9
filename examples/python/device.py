"""A device on Confab, for Python 3.9 and paho-mqtt 1.6 or 2.

Each line of its standard input becomes a message in a room, once, and every entry of every room
that it is in comes out, in order. A line that is a JSON object is sent as data, any other as text.
It may be killed and cut off at any moment.

It says what happens as one JSON object a line: `{online}`, `{taken}` (on the disk: it will be
stored), `{receipt, room, seq, duplicate}` (it is stored), `{refused, code}`, `{entry}`.

One thread does everything: it waits for the broker and for lines at the same time. Not for Windows,
where standard input cannot be waited for.
"""

import json
import os
import random
import re
import signal
import sys
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from connection import Connection
from follower import Follower
from outbox import Outbox
from state import State

# Errors that pass: the message is repeated with its key. Others refuse it for good.
PASSING = ("rate_limited", "overloaded", "unavailable", "restarting", "internal")
TICK_SECONDS = 0.25
GOODBYE_SECONDS = 2

Value = Dict[str, Any]


def say(line: Value) -> None:
    print(json.dumps(line), flush=True)


def setting(name: str, default: Optional[str] = None) -> str:
    value = os.environ.get(name) or default
    if value is None:
        print(f"{name} is not set", file=sys.stderr)
        sys.exit(2)
    return value


def body_of(line: str) -> Value:
    try:
        data = json.loads(line)
    except ValueError:
        data = None
    return {"data": data} if isinstance(data, dict) else {"text": line}


class Device:
    """Joins the outbox, the followers of the rooms, and one connection after the other."""

    def __init__(self) -> None:
        self.broker = {
            "host": setting("CONFAB_HOST", "127.0.0.1"),
            "port": int(setting("CONFAB_PORT", "1883")),
            "tls": setting("CONFAB_TLS", "0") == "1",
            "device": setting("CONFAB_DEVICE"),
            "username": setting("CONFAB_USERNAME", os.environ.get("CONFAB_DEVICE")),
            "secret": setting("CONFAB_SECRET"),
        }
        self.room = setting("CONFAB_ROOM")
        folder = setting("CONFAB_STATE", "state")
        self.state = State(folder)
        self.outbox = Outbox(folder)
        self.followers: Dict[str, Follower] = {}
        # Keys are a boot number and a counter: never the same twice, whatever happened before.
        self.boot = self.state.next_number()
        self.keys = 0
        self.requests = 0
        self.connection: Optional[Connection] = None
        self.input = [sys.stdin.fileno()]
        self.rest = b""
        self.lines: Deque[str] = deque()
        self.stopping = False

    def run(self) -> None:
        tries = 0
        while not self.stopping:
            self.connection = Connection(
                **self.broker,
                session=self.state.next_number(),
                on_online=self.online,
                on_message=self.understand,
            )
            while not self.connection.ended and not self.stopping:
                self.turn()
                tries = 0 if self.connection.online else tries
            for follower in self.followers.values():
                follower.disconnected()
            # Half of it at random, so that a thousand devices do not come back in one moment.
            again = time.monotonic() + min(2**tries, 30) * random.uniform(0.5, 1)
            tries = min(tries + 1, 5)
            while time.monotonic() < again and not self.stopping:
                self.turn()
        self.say_goodbye()

    def turn(self) -> None:
        """Waits for the broker or for a line, and does what is to be done."""
        assert self.connection is not None
        if self.connection.wait(TICK_SECONDS, [] if self.lines else self.input):
            self.read_lines()
        self.take_lines()
        if self.connection.online:
            self.send_what_is_due()
            for follower in list(self.followers.values()):
                follower.tick()

    def stop(self, *_: Any) -> None:
        self.stopping = True

    def say_goodbye(self) -> None:
        connection = self.connection
        if connection is None or not connection.online:
            return
        end = time.monotonic() + GOODBYE_SECONDS
        status = {"online": False, "session": connection.session}
        published = connection.publish("status", status, retain=True)
        while not published.is_published() and not connection.ended and time.monotonic() < end:
            connection.wait(TICK_SECONDS, [])
        connection.close()

    # What goes to the broker

    def read_lines(self) -> None:
        chunk = os.read(self.input[0], 65536)
        if not chunk:
            self.input = []  # the end: a line may be left over
        *lines, self.rest = (self.rest + (chunk or b"\n")).split(b"\n")
        self.lines.extend(line.decode("utf-8", "replace").strip() for line in lines)

    def take_lines(self) -> None:
        while self.lines and self.outbox.has_space:
            line = self.lines.popleft()
            if line == "":
                continue
            key = self.new_key()
            self.outbox.add(key, self.room, body_of(line))
            say({"taken": key, "line": line})

    def new_key(self) -> str:
        self.keys += 1
        return f"{self.boot}-{self.keys}"

    def send_what_is_due(self) -> None:
        for message in self.outbox.due():
            envelope = {**message["body"], "clientId": message["key"]}
            self.connection.publish(f"rooms/{message['room']}/send", envelope)

    def ask(self, room: str, request: Value) -> Optional[str]:
        if not self.connection.online:
            return None
        self.requests += 1
        request_id = f"{self.boot}-{self.requests}"
        self.connection.publish("requests", {"requestId": request_id, "room": room, **request})
        return request_id

    # What comes from the broker

    def online(self) -> None:
        session = self.connection.session
        self.outbox.restart()
        self.connection.publish("status", {"online": True, "session": session}, retain=True)
        say({"online": session})

    def understand(self, name: str, payload: bytes) -> None:
        of_room = re.fullmatch(r"rooms/([^/]+)/(events|head)", name)
        if of_room is not None:
            self.of_room(*of_room.groups(), payload)
        elif name == "receipts":
            self.stored(json.loads(payload))
        elif name == "errors":
            self.refused(json.loads(payload))
        elif name == "responses":
            answer = json.loads(payload)
            for follower in self.followers.values():
                follower.response(answer)

    def of_room(self, room: str, kind: str, payload: bytes) -> None:
        if kind == "events":
            self.follower_of(room).event(json.loads(payload))
        elif payload:
            self.follower_of(room).head(json.loads(payload))
        else:
            self.followers.pop(room, None)  # not a member any more

    def follower_of(self, room: str) -> Follower:
        if room not in self.followers:
            self.followers[room] = Follower(
                cursor=self.state.cursor(room),
                ask=lambda request: self.ask(room, request),
                save=lambda cursor: self.state.set_cursor(room, cursor),
                handle=lambda entry: say({"entry": entry}),
            )
        return self.followers[room]

    def stored(self, receipt: Value) -> None:
        key = receipt["clientId"]
        if key not in self.outbox:
            return  # the answer to a repeat
        self.outbox.done(key)
        fields = {name: receipt[name] for name in ("room", "seq", "duplicate")}
        say({"receipt": key, **fields})

    def refused(self, error: Value) -> None:
        key, code = error.get("clientId"), error["code"]
        if key not in self.outbox:
            say({"refused": None, "code": code, "message": error["message"]})
        elif code in PASSING:
            self.outbox.hold(key, error.get("retryAfter", 2))
        elif code == "client_id_reused":
            self.outbox.rename(key, self.new_key())
        else:
            self.outbox.done(key)
            say({"refused": key, "code": code, "message": error["message"]})


if __name__ == "__main__":
    device = Device()
    signal.signal(signal.SIGTERM, device.stop)
    signal.signal(signal.SIGINT, device.stop)
    device.run()
