"""Every case of the conformance corpus: in one batch, one by one, cut at random, and restarted.

`disputed.toml` holds the cases whose expected rows we believe to be wrong, each with the argument.
"""

import pytest
from conformance_runner import CUTS, disputed, failure, load, names

DISPUTED = disputed()
AGREED = [name for name in names() if name not in DISPUTED]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("name", AGREED)
def test_case(name, cuts):
    found = failure(load(name), cuts)
    assert found is None, f"{name}: {found}"


def test_disputed_cases_still_fail():
    passing = [name for name in DISPUTED if failure(load(name), "all") is None]
    assert not passing, "take them out of disputed.toml"


def test_the_corpus_is_whole():
    assert len(names()) == 228
    assert not set(DISPUTED) - set(names()), "disputed.toml names a case that does not exist"
    assert all(DISPUTED.values()), "a dispute has an argument"
