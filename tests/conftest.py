"""What many tests share: the model of the packaged library."""

import pytest

from ghaxis.model import Model


@pytest.fixture(scope="session")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="session")
def equipped(model: Model) -> Model:
    """The model with every therapy of the library: one compilation serves all that is given."""
    return model.with_therapies(sorted(model.library.therapies))
