"""What many tests share: the model of the packaged library."""

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
