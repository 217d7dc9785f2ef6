"""Files that appear whole or not at all, and the finished blocks of a long run, which goes on with the same numbers when it was cut."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Self

import numpy as np
import platformdirs
from numpy.typing import NDArray

Array = NDArray[np.float64]


def write(where: Path, data: bytes, kept: int | None = None) -> None:
    """Write a file, whole or not at all, so that processes may race for it; in a cache of `kept` files the oldest make room.

    Raises OSError where it cannot be written.
    """
    where.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=where.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, where)
    finally:
        Path(name).unlink(missing_ok=True)
    if kept is not None:
        for old in sorted(where.parent.glob(f"*{where.suffix}"), key=lambda file: file.stat().st_mtime)[:-kept]:
            old.unlink(missing_ok=True)


@dataclass(frozen=True)
class Kept:
    """A folder of finished blocks, found again by all that their numbers depend on; left without an error, it forgets what it used."""

    folder: Path = field(default_factory=lambda: Path(platformdirs.user_cache_dir("ghaxis")) / "unfinished")
    used: set[Path] = field(default_factory=set, compare=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for where in self.used if kind is None else ():
            where.unlink(missing_ok=True)

    def get(self, *key: object) -> Array | None:
        """The values of a block, where it was finished; a file that cannot be read counts as none."""
        where = self._where(key)
        with contextlib.suppress(OSError, ValueError, EOFError):
            values = np.load(where)
            self.used.add(where)
            return np.asarray(values, dtype=np.float64)
        return None

    def put(self, values: Array, *key: object) -> None:
        """Keep a block, whole or not at all; a folder that cannot be written is no mistake."""
        where = self._where(key)
        with contextlib.suppress(OSError):
            packed = io.BytesIO()
            np.save(packed, values)
            write(where, packed.getvalue())
            self.used.add(where)

    def _where(self, key: tuple[object, ...]) -> Path:
        made = hashlib.sha256()
        for part in _parts(key):
            made.update(part + b"\0")
        return self.folder / f"{made.hexdigest()}.npy"


def _parts(value: object) -> Iterator[bytes]:
    """All that a value is made of: whole arrays, what tuples and records hold, and the text of the rest."""
    if isinstance(value, np.ndarray):
        yield str(value.shape).encode()
        yield value.tobytes()
    elif isinstance(value, tuple):
        for part in value:
            yield from _parts(part)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _parts(getattr(value, part.name))
    else:
        yield repr(value).encode()
