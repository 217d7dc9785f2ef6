"""The cache of compiled code when processes race for it, are killed, or read what another left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CODE = """
import numpy as np
from ghaxis import Model, Person, simulate
result = simulate(Model.load(), Person(), until="6 h", every="2 h", watch=["GH", "IGF1"], settled=False)
print(result.values.tobytes().hex())
"""


def start(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE], env={**os.environ, "XDG_CACHE_HOME": str(cache)}, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is named by XDG_CACHE_HOME on Linux only")
def test_two_processes_may_race_and_one_may_be_killed(tmp_path: Path) -> None:
    one, two, killed = start(tmp_path), start(tmp_path), start(tmp_path)
    time.sleep(2.0)
    killed.send_signal(signal.SIGKILL)
    first, second = one.communicate()[0], two.communicate()[0]
    killed.wait()
    assert one.returncode == two.returncode == 0
    assert first == second != ""
    later = start(tmp_path).communicate()[0]
    assert later == first
    left = {path.suffix for path in tmp_path.rglob("*") if path.is_file()} - {".o", ".txt", ".json", ".xml", ".pickle", ""}
    assert not left, left
