"""Finished blocks of a long run, on disk until the whole is done: an interrupted run, started again, goes on with the same numbers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import platformdirs
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
            where.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=where.parent)
            with os.fdopen(handle, "wb") as file:
                np.save(file, values)
            os.replace(name, where)
            self.used.add(where)

    def _where(self, key: tuple[object, ...]) -> Path:
        made = hashlib.sha256()
        for part in key:
            made.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
            made.update(b"\0")
        return self.folder / f"{made.hexdigest()}.npy"
