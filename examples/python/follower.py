"""Follows the log of one room: every entry once and in order, whatever was missed meanwhile."""

import time
from typing import Any, Callable, Dict, Optional

# Seconds after which a request without an answer is repeated.
ANSWER_SECONDS = 10
# Seconds until the next try when an error names no `retryAfter`.
RETRY_SECONDS = 2
# Errors that pass; after others nothing is asked until the room says something again.
PASSING = ("rate_limited", "overloaded", "unavailable", "restarting", "internal")

Value = Dict[str, Any]


class Follower:
    """Entries come by themselves; when one is missing, or the room's head is ahead, it asks.

    `cursor` is `{epoch, seq}`, as `save(cursor)` got it last. `ask(request)` publishes
    `{type, after, limit, epoch?}` and returns its requestId, or None without a connection.
    `handle(entry)` is called before the cursor is saved: after a crash, again.
    """

    def __init__(
        self,
        cursor: Value,
        ask: Callable[[Value], Optional[str]],
        save: Callable[[Value], None],
        handle: Callable[[Value], None],
    ) -> None:
        self._cursor = cursor
        self._ask = ask
        self._save = save
        self._handle = handle
        self._seen = 0  # the highest seq that the room has shown
        self._asked: Optional[str] = None
        self._asked_at = 0.0
        self._ask_after = 0.0

    def event(self, entry: Value) -> None:
        """An entry `{epoch, seq, event}` came by itself."""
        self._notice(entry)
        epoch, seq = self._cursor["epoch"], self._cursor["seq"]
        if entry["epoch"] == epoch and entry["seq"] == seq + 1:
            self._handle(entry)
            self._move({"epoch": epoch, "seq": entry["seq"]})
        else:
            self._catch_up()

    def head(self, head: Value) -> None:
        """The room's head `{epoch, seq}` came."""
        self._notice(head)
        self._catch_up()

    def response(self, answer: Value) -> None:
        """An answer came: `{requestId, epoch, entries, hasMore}` or `{requestId, error}`."""
        if self._asked is None or answer["requestId"] != self._asked:
            return
        self._asked = None
        if "error" in answer:
            self._refused(answer["error"])
            return
        entries = answer["entries"]
        seq = self._cursor["seq"]
        for entry in entries:
            if entry["seq"] > seq:
                self._handle(entry)
        last = entries[-1]["seq"] if entries else 0
        self._move({"epoch": answer["epoch"], "seq": max(seq, last)})
        if not entries:
            self._seen = self._cursor["seq"]  # what the room has shown beyond it is not for us
        if answer["hasMore"]:
            self._seen = max(self._seen, self._cursor["seq"] + 1)
        self._catch_up()

    def disconnected(self) -> None:
        """The connection is over, and with it the request."""
        self._asked = None

    def tick(self) -> None:
        """To be called now and then."""
        if self._asked is not None and time.monotonic() > self._asked_at + ANSWER_SECONDS:
            self._asked = None
        self._catch_up()

    def _notice(self, place: Value) -> None:
        # Another history: what we know of the old one is worthless.
        if self._cursor["epoch"] not in (None, place["epoch"]):
            self._start_over()
        self._seen = max(self._seen, place["seq"])

    def _start_over(self) -> None:
        self._cursor = {"epoch": None, "seq": 0}
        self._seen = 1
        self._asked = None

    def _refused(self, error: Value) -> None:
        if error["code"] == "epoch_changed":
            self._start_over()
        elif error["code"] in PASSING:
            self._ask_after = time.monotonic() + error.get("retryAfter", RETRY_SECONDS)
        else:
            self._seen = self._cursor["seq"]
        self._catch_up()

    def _catch_up(self) -> None:
        now = time.monotonic()
        if self._asked is not None or self._seen <= self._cursor["seq"] or now < self._ask_after:
            return
        request = {"type": "log", "after": self._cursor["seq"], "limit": 200}
        if self._cursor["epoch"] is not None:
            request["epoch"] = self._cursor["epoch"]
        self._asked = self._ask(request)
        self._asked_at = now

    def _move(self, cursor: Value) -> None:
        self._cursor = cursor
        self._save(cursor)
