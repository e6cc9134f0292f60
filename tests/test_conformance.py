"""Every case of the conformance corpus: all events in one batch, one by one, and cut at random.

`not_built.txt` names the cases that this version refuses as not supported yet; a case that is no
longer refused must leave it, so the list only shrinks. `disputed.toml` holds the cases whose
expected rows we believe to be wrong, each with the argument.
"""

import pytest
from conformance_runner import CUTS, disputed, failure, load, names, not_built

from streamql.errors import NotSupportedYet

REFUSED = not_built()
DISPUTED = disputed()
BUILT = [name for name in names() if name not in REFUSED and name not in DISPUTED]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("name", BUILT)
def test_case(name, cuts):
    try:
        found = failure(load(name), cuts)
    except NotSupportedYet as error:
        pytest.fail(f"{name} is refused, and not listed in not_built.txt: {error}")
    assert found is None, f"{name}: {found}"


@pytest.mark.parametrize("name", REFUSED)
def test_case_not_built(name):
    try:
        found = failure(load(name), "all")
    except NotSupportedYet:
        return
    if found is None:
        pytest.fail(f"{name} passes now: take it out of not_built.txt")
    pytest.fail(f"{name} must be refused as not supported yet: {found}")


@pytest.mark.parametrize("name", sorted(DISPUTED))
def test_case_disputed(name):
    try:
        found = failure(load(name), "all")
    except NotSupportedYet as error:
        found = str(error)
    assert found is not None, f"{name} passes now: take it out of disputed.toml"


def test_lists_name_cases_once():
    assert sorted(set(REFUSED)) == REFUSED, "not_built.txt is sorted and names a case once"
    assert not set(REFUSED) - set(names()), "not_built.txt names a case that does not exist"
    assert not set(DISPUTED) - set(names()), "disputed.toml names a case that does not exist"
    assert not set(DISPUTED) & set(REFUSED), "a case is either disputed or not built"
    assert all(DISPUTED.values()), "a dispute has an argument"
