"""The messages that have no receipt yet, in a file."""

import json
import os
import time
from typing import Any, Dict, List, TextIO

from durable_file import read_file, replace_file

# Messages that may wait for their receipt; beyond that no more are taken.
MAX_WAITING = 1000
# Only the oldest are under way. 1 keeps their order whatever is refused or lost; slower.
WINDOW = 16
# Seconds without a receipt until a message is published again: at first, and at most.
REPEAT_SECONDS = 5
MAX_REPEAT_SECONDS = 60
# Lines of the file that no longer matter, until it is written anew.
MAX_DONE_LINES = 1000


class Outbox:
    """What was added is there after a crash.

    The file has a line for each message, `{key, room, body}`, and one for its end, `{done: key}`.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "outbox.jsonl")
        self._waiting: Dict[str, Dict[str, Any]] = {}
        self._held_until = 0.0
        for line in (read_file(self._path) or "").splitlines():
            self._load(line)
        self._file = self._rewrite()

    def __contains__(self, key: object) -> bool:
        return key in self._waiting

    @property
    def has_space(self) -> bool:
        return len(self._waiting) < MAX_WAITING

    def add(self, key: str, room: str, body: Dict[str, Any]) -> None:
        """Returns when the message is on the disk."""
        self._append({"key": key, "room": room, "body": body})
        os.fsync(self._file.fileno())
        self._put(key, room, body)

    def due(self) -> List[Dict[str, Any]]:
        """What is to be published now, `{key, room, body}`; due again when no receipt comes."""
        now = time.monotonic()
        if now < self._held_until:
            return []
        due = []
        for key in list(self._waiting)[:WINDOW]:
            message = self._waiting[key]
            if now < message["repeat_at"]:
                continue
            wait = min(REPEAT_SECONDS * 2 ** message["tries"], MAX_REPEAT_SECONDS)
            message.update(repeat_at=now + wait, tries=min(message["tries"] + 1, 10))
            due.append({"key": key, "room": message["room"], "body": message["body"]})
        return due

    def done(self, key: str) -> None:
        """It is stored, or refused for good."""
        if self._waiting.pop(key, None) is None:
            return
        # Not forced to the disk: if the line is lost, the message is repeated, and stored once.
        self._append({"done": key})
        self._done_lines += 1
        if self._done_lines > MAX_DONE_LINES:
            self._file.close()
            self._file = self._rewrite()

    def hold(self, key: str, seconds: float) -> None:
        """The server does not want it now: everything waits."""
        if key in self._waiting:
            self._waiting[key]["repeat_at"] = 0.0
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def rename(self, key: str, new_key: str) -> None:
        """The key was used for another message: this one gets a new one, and goes to the end."""
        message = self._waiting.get(key)
        if message is not None:
            self.add(new_key, message["room"], message["body"])
            self.done(key)

    def restart(self) -> None:
        """There is a new connection: what the old one may have lost is due at once."""
        for message in self._waiting.values():
            message.update(repeat_at=0.0, tries=0)

    def _put(self, key: str, room: str, body: Dict[str, Any]) -> None:
        self._waiting[key] = {"room": room, "body": body, "repeat_at": 0.0, "tries": 0}

    def _load(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return  # the last line, cut off by the crash: it was never said to be taken
        if "done" in entry:
            self._waiting.pop(entry["done"], None)
        else:
            self._put(entry["key"], entry["room"], entry["body"])

    def _append(self, entry: Dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def _rewrite(self) -> TextIO:
        lines = [
            json.dumps({"key": key, "room": one["room"], "body": one["body"]}) + "\n"
            for key, one in self._waiting.items()
        ]
        replace_file(self._path, "".join(lines))
        self._done_lines = 0
        return open(self._path, "a", encoding="utf-8")
