"""The pytest plugin: the fixture `streamql` (docs/testing.md).

Nothing of the engine is loaded before a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing.bench import Bench


@pytest.fixture
def streamql(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Jobs that a test drives step by step; files count from the folder of the test."""
    from .testing.bench import Bench

    with Bench(request.path.parent) as bench:
        yield bench
