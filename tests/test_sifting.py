"""Rows that fail by themselves are found among the others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streamql.errors import OutputError
from streamql.sifting import Refusal, sift


@settings(max_examples=200, deadline=None)
@given(count=st.integers(0, 700), data=st.data(), hints=st.sampled_from(["none", "first", "wrong"]))
def test_sifting_leaves_out_the_bad_rows_and_keeps_the_order(count, data, hints):
    bad = (
        set(data.draw(st.lists(st.integers(0, max(0, count - 1)), max_size=30))) if count else set()
    )
    stored, calls = [], []

    def store(start, stop):
        calls.append((start, stop))
        wrong = [row for row in range(start, stop) if row in bad]
        if wrong:
            hint = {"none": None, "first": wrong[0] - start, "wrong": stop - start - 1}[hints]
            raise Refusal(OutputError(f"{wrong[0]} is bad"), hint)
        stored.extend(range(start, stop))

    left = sift(count, store)
    assert [(r, e.message) for r, e in left] == [(r, f"{r} is bad") for r in sorted(bad)]
    assert stored == [row for row in range(count) if row not in bad]
    if hints != "wrong":
        assert len(calls) <= 2 + len(bad) * 2 * max(1, count).bit_length()
