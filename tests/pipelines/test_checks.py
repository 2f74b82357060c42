import math
from typing import Any

import pytest

from pipelines.checks import require_integer, require_number
from pipelines.errors import PipelineError
from pipelines.planning.plan import PlanOptions
from tests.support.plans import CONFIG


@pytest.mark.parametrize("value", [0, 6, -1, 2.0, True, "3", None])
def test_an_integer_has_two_ends(value: object) -> None:
    require_integer("workers", 1, least=1, most=5)
    require_integer("workers", 5, least=1, most=5)
    with pytest.raises(PipelineError) as caught:
        require_integer("workers", value, least=1, most=5)
    assert str(caught.value) == f"workers={value!r} must be an integer from 1 to 5"


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
def test_a_number_has_two_ends(value: object) -> None:
    require_number("share", 0, least=0, most=1)
    require_number("share", 1.0, least=0, most=1)
    with pytest.raises(PipelineError) as caught:
        require_number("share", value, least=0, most=1)
    assert str(caught.value) == f"share={value!r} must be a number from 0 to 1"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", (1.0, True, 2**63, -(2**63) - 1)),
        ("shard_megabytes", (0, -1, 1e-7, 1e7, math.nan, math.inf)),
        ("max_rejects", (-0.01, 1.01, 2.0, math.nan)),
        ("test_split", ("", "Musicnet")),
    ],
)
def test_what_is_asked_of_a_plan_must_be_possible(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(PipelineError, match=f"^{name}={value!r} must be "):
            PlanOptions(features=CONFIG, **{name: value})
