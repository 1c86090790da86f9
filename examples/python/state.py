"""What the device remembers: a number that rises, and a cursor for each room."""

import json
import os
import time
from typing import Any, Dict

from durable_file import read_file, replace_file


class State:
    """Keeps it in `{folder}/state.json`."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._path = os.path.join(folder, "state.json")
        text = read_file(self._path)
        # The first number is the time, so that a device whose folder was lost goes on above the
        # numbers it has used. Later ones only count: a clock that is set back does no harm.
        self._values: Dict[str, Any] = (
            {"number": int(time.time()), "cursors": {}} if text is None else json.loads(text)
        )

    def next_number(self) -> int:
        """A number that this device has never used before, also not before its last start."""
        self._values["number"] += 1
        self._save()
        return self._values["number"]

    def cursor(self, room: str) -> Dict[str, Any]:
        """How far the log of a room has been handled: `{epoch, seq}`."""
        return self._values["cursors"].get(room, {"epoch": None, "seq": 0})

    def set_cursor(self, room: str, cursor: Dict[str, Any]) -> None:
        self._values["cursors"][room] = cursor
        self._save()

    def _save(self) -> None:
        replace_file(self._path, json.dumps(self._values))
