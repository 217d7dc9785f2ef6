"""Text -> number and unit: what is one amount, and what is two."""

import pytest

from ghaxis import units
from ghaxis.errors import InputError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("52 years", (52.0, "years")),
        ("-13.1 percent", (-13.1, "percent")),
        ("33 kg/m**2", (33.0, "kg/m**2")),
        ("1e-9 gram/litre", (1e-9, "gram/litre")),
        ("0.33 1/h", (0.33, "1/h")),
        ("150 10**9/L", (150.0, "10**9/L")),
        ("150 1e9/L", (150.0, "1e9/L")),
        ("4", (4.0, "")),
    ],
)
def test_one_amount(text: str, found: tuple[float, str]) -> None:
    assert units.split(text) == found


@pytest.mark.parametrize(
    "text", ["20-25 kg/m**2", "20 - 25 kg", "20–25 kg", "20 to 25 kg", "56 ± 2 years", "56 +/- 2 years", "317/35", "2*3 kg", "2 5 kg"]
)
def test_a_second_number_is_no_unit(text: str) -> None:
    with pytest.raises(InputError, match="more than one number"):
        units.number(text, "kg", "weight")
