"""Compile errors as a person sees them: tests/compile_errors.txt holds queries and what is said.

A block is the query on one line, then the whole message. Blocks are separated by an empty line. In
all of them there are the inputs `input` (columns a, b, t) and `other` (a), the reference data `ref`
(a) and the functions udf.f and udf.g.
"""

from pathlib import Path

import pytest

import streamql
from streamql.errors import CompileError, render

FILE = Path(__file__).parent / "compile_errors.txt"
BLOCKS = [block.split("\n", 1) for block in FILE.read_text().strip().split("\n\n")]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    reference = tmp_path_factory.mktemp("reference") / "ref.jsonl"
    reference.write_text('{"a":1}\n')
    with streamql.Engine() as made:
        made.register("input", [{"a": 1, "b": 2, "t": "2024-01-01"}])
        made.register("other", [{"a": 1}])
        made.register_reference_uri("ref", str(reference))
        made.javascript("f", "function f(a) { return a; }")
        made.function(lambda a: a, name="g")
        yield made


@pytest.mark.parametrize(("query", "message"), BLOCKS, ids=[b[0] for b in BLOCKS])
def test_what_is_wrong_is_said_with_its_place(engine, query, message):
    with pytest.raises(CompileError) as caught:
        engine.sql(query)
    assert render(caught.value, query).rstrip() == message.rstrip()


def test_no_query_is_there_twice():
    queries = [query for query, _ in BLOCKS]
    assert len(set(queries)) == len(queries)
