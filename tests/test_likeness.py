"""Which recorded row is nearest to one that was not recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamql.udf.scoring.likeness import most_alike


@pytest.mark.parametrize(
    ("row", "known", "near", "said"),
    [
        ([1, 2], [[9, 9], [1, 3]], 1, "element 2: 3 there, 2 here"),
        ([1, 2], [[1, 2.0]], 0, "element 2: 2.0 there, 2 here"),
        ([1], [[1, 2]], 0, "element 2: 2 there, nothing here"),
        ("abc", ["xyz", "abd"], 1, ""),
        (5, [1, 6, 100], 1, ""),
        (True, [1, False], 1, ""),
        (None, [1, None], 1, ""),
        ({"a": 1, "b": 2}, [{"b": 2, "a": 1}], 0, "the columns are b, a there, a, b here"),
        ({"a": 1, "b": 2}, [{"a": 1}], 0, "b: nothing there, 2 here"),
        (
            {"a": 1, "b": 2, "c": 3, "d": 4},
            [{"a": 2, "b": 3, "c": 4, "d": 5}],
            0,
            "a: 2 there, 1 here; b: 3 there, 2 here; c: 4 there, 3 here; and 1 more",
        ),
    ],
)
def test_the_nearest_row(row: Any, known: list[Any], near: int, said: str) -> None:
    texts = [json.dumps(one).encode() for one in known]
    assert most_alike(row, texts) == (texts[near], said)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), st.lists))
def test_a_row_is_nearest_to_itself(row: Any) -> None:
    texts = [json.dumps(one).encode() for one in ([row, 1], row, {"row": row})]
    assert most_alike(row, texts)[0] == texts[1]
