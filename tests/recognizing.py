"""Queries with MATCH_RECOGNIZE, run with the input cut in several ways."""

from __future__ import annotations

import itertools
import random

import streamql

ALL_AT_ONCE = None


def time_of(second):
    return f"2024-03-05T08:{second // 60:02}:{second % 60:02}Z"


def events_of(text, first=0):
    """`a1 b2 . c3`: an event a second of this kind and value; `.` is a second without one."""
    return [
        {"at": time_of(first + i), "kind": word[0], "v": int(word[1:] or 0)}
        for i, word in enumerate(text.split())
        if word != "."
    ]


def run(query, events, cut=ALL_AT_ONCE, restart=False, **settings):
    with streamql.Engine(**settings) as engine:
        engine.register("r", events)
        engine.cut = cut
        engine.restart = restart
        return engine.sql(query).fetchall()


def in_every_way(query, events):
    """Return the rows, after a check that they are the same however the input is cut."""
    whole = run(query, events)
    assert run(query, events, itertools.repeat(1)) == whole
    assert run(query, events, itertools.repeat(1), restart=True) == whole
    sizes = random.Random(len(events))
    cut = iter(lambda: sizes.randint(1, 4), 0)
    assert run(query, events, cut, restart=True) == whole
    # with a time policy the watermark goes along with the events
    assert run(query, events, itertools.repeat(1), restart=True, out_of_order="0s") == whole
    assert run(query, events, itertools.repeat(2), out_of_order="1s") == whole
    return whole


def query_of(pattern, define="", measures="", limit="minute, 1", partition="", select="*"):
    define = define or "A AS A.kind = 'a', B AS B.kind = 'b', C AS C.kind = 'c'"
    used = [d for d in define.split(", ") if d.split()[0] in pattern] or [f"{pattern[0]} AS v = 1"]
    return (
        f"SELECT {select} FROM r TIMESTAMP BY at MATCH_RECOGNIZE (LIMIT DURATION ({limit}) "
        f"{partition} MEASURES {measures or 'Classifier() AS m, First(v) AS f'} "
        f"AFTER MATCH SKIP TO NEXT ROW PATTERN ({pattern}) DEFINE {', '.join(used)}) AS T"
    )
