"""Files that a crash or a power cut leaves whole."""

import os
from typing import Optional


def replace_file(path: str, text: str) -> None:
    """Replaces a file: afterwards it is the old one or the new one, never half of each."""
    part = f"{path}.part"
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    # The new name is safe once the folder is.
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_file(path: str) -> Optional[str]:
    """The file's text; None when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
