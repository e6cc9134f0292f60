"""Random patterns of MATCH_RECOGNIZE against a matcher that is as plain as can be."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from recognizing import in_every_way, query_of, time_of


def _matches(pattern, kinds, times, limit, index, path):
    """Yield the ways to match `pattern` (nested tuples) from `index`, the preferred one first."""
    match pattern:
        case str():
            fits = index < len(kinds) and (pattern in (".", kinds[index].upper()))
            if fits and times[index] - times[path[0][0] if path else index] < limit:
                yield [*path, (index, pattern)]
        case ("seq", *parts):
            if not parts:
                yield path
            else:
                for found in _matches(parts[0], kinds, times, limit, index, path):
                    after = index + len(found) - len(path)
                    yield from _matches(("seq", *parts[1:]), kinds, times, limit, after, found)
        case ("or", *options):
            for option in options:
                yield from _matches(option, kinds, times, limit, index, path)
        case ("*", part):
            for found in _matches(part, kinds, times, limit, index, path):
                if len(found) > len(path):
                    after = index + len(found) - len(path)
                    yield from _matches(pattern, kinds, times, limit, after, found)
            yield path
        case ("+", part):
            yield from _matches(("seq", part, ("*", part)), kinds, times, limit, index, path)
        case ("?", part):
            yield from _matches(("or", part, ("seq",)), kinds, times, limit, index, path)


def _random_pattern(random_, depth):
    kind = random_.choice(["leaf", "leaf", "seq", "or", "+", "*", "?"] if depth else ["leaf"])
    match kind:
        case "leaf":
            return random_.choice("ABC.")
        case "seq" | "or":
            parts = [_random_pattern(random_, depth - 1) for _ in range(random_.randint(2, 3))]
            return (kind, *parts)
        case _:
            return (kind, _random_pattern(random_, depth - 1))


def _written(pattern):
    match pattern:
        case str():
            return pattern
        case ("seq", *parts):
            return "(" + " ".join(map(_written, parts)) + ")"
        case ("or", *options):
            return "(" + " | ".join(map(_written, options)) + ")"
        case (sign, part):
            return f"({_written(part)}){sign}"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("asking", [False, True])
def test_random_patterns_match_as_a_plain_matcher_says(seed, asking):
    random_ = random.Random(seed)
    pattern = _random_pattern(random_, 3)
    if not set("ABC") & set(_written(pattern)):
        pattern = ("seq", pattern, ("?", "C"))
    seconds = list(itertools.accumulate(random_.choice([0, 1, 1, 2]) for _ in range(25)))
    kinds = random_.choices("abc", weights=[5, 3, 2], k=len(seconds))
    limit = random_.randint(1, 12)
    expected = []
    for start in range(len(kinds)):
        ways = _matches(pattern, kinds, seconds, limit, start, [])
        best = next((way for way in ways if way), None)
        if best is not None:
            expected.append((best[-1][0], start, [name for _, name in best]))
    events = [
        {"at": time_of(s), "kind": k, "v": i}
        for i, (s, k) in enumerate(zip(seconds, kinds, strict=True))
    ]
    define = "A AS A.kind = 'a', B AS B.kind = 'b', C AS C.kind = 'c'"
    if asking:  # what this adds is never true, but it looks at bound events
        define = re.sub(r"= '\w'", lambda m: f"{m[0]} OR Last(kind) <> Last(kind)", define)
    query = query_of(_written(pattern), define, "Classifier() AS m, First(v) AS f, Last(v) AS l",
                   limit=f"second, {limit}")  # fmt: skip
    rows = in_every_way(query, events)
    assert [(r["l"], r["f"], r["m"]) for r in rows] == sorted(expected)
