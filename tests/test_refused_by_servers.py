"""Rows that a server refuses, found and dropped in jobs with checkpoints."""

from __future__ import annotations

import json

import pytest
from adversary import Adversary, Reply
from refused_rows import TASK, Into, odd, verify

from streamql.errors import OutputError
from streamql.runtime.coordinator import POINTS


class Shop:
    """A server that takes rows and keeps them by the keys of requests; it is closed now and then."""

    def __init__(self, closed=0, status=422):
        self.taken = {}
        self.closed, self.status = closed, status

    def __call__(self, request):
        if self.closed:
            self.closed -= 1
            return Reply(status=503)
        rows = json.loads(request.body)
        if any(odd(row) for row in rows):
            return Reply(b"odd row", status=self.status)
        self.taken[request.headers["idempotency-key"]] = rows
        return Reply()

    def rows(self):
        return sorted((r["id"], r["v"], r["name"]) for rows in self.taken.values() for r in rows)


@pytest.mark.parametrize("retries", [0, 5])
@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_rows_that_a_server_refuses_are_dropped_and_no_others(status, retries, tmp_path):
    shop = Shop(closed=2, status=status)
    with Adversary(shop) as server:
        # what the requests are repeated for does not last, nor does the policy give up
        run = Into(f"{server.url}?max_rows=30&max_retries={retries}", TASK, tmp_path / "job")
        summary = run.run()
    assert any("trying again" in text for text in run.warnings) == (not retries)
    verify(run, summary, shop.rows(), odd, f"answered {status}")


@pytest.mark.parametrize("point", POINTS)
def test_a_server_that_refuses_rows_whoever_dies_when(point, tmp_path):
    shop = Shop()
    with Adversary(shop) as server:
        run = Into(f"{server.url}?max_rows=30", TASK, tmp_path / "job")
        assert run.crash(point, 2)
        verify(run, run.run(), shop.rows(), odd, "answered 422")


@pytest.mark.parametrize("status", [401, 404, 405])
def test_what_a_server_says_of_all_requests_drops_no_row(status, tmp_path):
    with Adversary(lambda _: Reply(status=status)) as server:
        run = Into(server.url, TASK, tmp_path / "job")
        with pytest.raises(OutputError, match=f"answered {status}"):
            run.run()
    assert run.letters() == []
