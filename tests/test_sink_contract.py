"""The contract of sinks: whatever dies when, each row is there once (or at least once).

A job is played with its checkpoints: rows are numbers, a checkpoint is the number of rows written
and the sink's state, and the process dies at every place it can.
"""

import itertools
import json
import sqlite3
import threading
from dataclasses import dataclass

import pytest
from adversary import Adversary, Reply
from table_outputs import Postgres, Sqlite, write

from streamql.connectors.catalog import open_sink
from streamql.connectors.contract import EXACTLY_ONCE
from streamql.errors import OutputError
from streamql.runtime.state import from_bytes, to_bytes

ROWS_PER_EPOCH = 3
DEATHS = ("never", "written", "prepared", "saved", "committed", "older")


class Died(Exception):
    """The process is gone."""


class Job:
    """Writes rows with checkpoints; `disk` is all that outlives it."""

    def __init__(self, place):
        self.place = place
        self.disk = [(0, 0, None)]

    def life(self, deaths):
        """Run from the newest checkpoint until all epochs are done, or until a death."""
        epoch, written, state = self.disk[-1]
        sink = self.place.open()
        sink.resume(None if state is None else from_bytes(state))
        try:
            while epoch < len(deaths):
                death = deaths[epoch]
                epoch += 1
                for _ in range(ROWS_PER_EPOCH):
                    write(sink, n=[written], t=[f"row {written}"])
                    written += 1
                sink.flush()
                self._die(death, "written")
                state = to_bytes(sink.prepare(epoch))
                self._die(death, "prepared")
                self.disk.append((epoch, written, state))
                self._die(death, "saved")
                sink.commit(epoch)
                if death == "older" and epoch > 1:
                    self.disk.pop()  # the newest checkpoint turns out to be damaged
                    raise Died
                self._die(death, "committed")
                sink.commit(epoch)
            sink.close()
        finally:
            sink._disconnect()

    def _die(self, death, now):
        if death == now:
            raise Died

    def run(self, deaths):
        deaths = list(deaths)
        while True:
            try:
                self.life(deaths)
            except Died:
                deaths = self._after(deaths)
            else:
                return len(deaths) * ROWS_PER_EPOCH

    def _after(self, deaths):
        """Return the deaths that are left: one that was died is not died again."""
        first = next(i for i, death in enumerate(deaths) if death != "never")
        return [*deaths[:first], "never", *deaths[first + 1 :]]


@dataclass
class Server:
    """A server that takes rows; one that looks at the keys of requests takes each but once."""

    server: Adversary
    looks: bool = False

    def open(self):
        return open_sink(self.server.url + "?max_rows=2")

    def rows(self, query):
        bodies = [(r.headers["idempotency-key"], r.body) for r in self.server.requests]
        taken = dict(bodies).items() if self.looks else bodies
        return [(row["n"],) for _, body in taken for row in json.loads(body)]


@pytest.fixture
def sqlite_place(tmp_path):
    return Sqlite(tmp_path / "a.db")


@pytest.fixture
def postgres_place(postgres):
    return Postgres(postgres, "contract")


def check(place, deaths, once=None):
    total = Job(place).run(deaths)
    found = sorted(n for (n,) in place.rows("SELECT n FROM t"))
    if place_delivery(place) == EXACTLY_ONCE if once is None else once:
        assert found == list(range(total)), deaths
    assert set(found) == set(range(total)), deaths


def place_delivery(place):
    sink = place.open()
    sink.close()
    return sink.delivery


@pytest.mark.parametrize("last", DEATHS)
def test_sqlite_whatever_dies_when(tmp_path, last):
    for number, deaths in enumerate(itertools.product(DEATHS, DEATHS)):
        check(Sqlite(tmp_path / f"{number}.db"), (*deaths, last))


@pytest.mark.parametrize("first", DEATHS)
@pytest.mark.parametrize("second", DEATHS)
def test_postgres_whatever_dies_when(postgres, first, second):
    check(Postgres(postgres, "contract"), (first, second, "saved"))


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("last", DEATHS)
def test_a_server_whatever_dies_when(last, looks):
    for deaths in itertools.product(DEATHS, DEATHS):
        with Adversary(lambda _: Reply()) as server:
            check(Server(server, looks), (*deaths, last), once=looks)


@pytest.fixture(params=["sqlite_place", "postgres_place"])
def place(request):
    return request.getfixturevalue(request.param)


def test_rows_are_not_seen_before_their_checkpoint(place):
    sink = place.open()
    sink.resume(None)
    write(sink, n=[1])
    sink.flush()
    sink.prepare(1)
    assert place.rows("SELECT n FROM t") == []
    sink.commit(1)
    assert place.rows("SELECT n FROM t") == [(1,)]
    write(sink, n=[2])
    sink.close()
    assert place.rows("SELECT n FROM t") == [(1,)]


def test_a_checkpoint_that_was_not_saved_is_made_up_for_by_the_next(place):
    sink = place.open()
    sink.resume(None)
    write(sink, n=[1])
    sink.prepare(1)
    write(sink, n=[2])
    sink.prepare(2)
    sink.commit(2)
    sink.close()
    assert sorted(place.rows("SELECT n FROM t")) == [(1,), (2,)]


def test_two_jobs_share_a_table(place):
    sinks = [place.open(), place.open()]
    for number, sink in enumerate(sinks):
        sink.resume(None)
        write(sink, n=[number])
        sink.prepare(1)
    for sink in sinks:
        sink.commit(1)
        sink.close()
    assert sorted(place.rows("SELECT n FROM t")) == [(0,), (1,)]


def test_a_table_that_was_emptied_with_its_epochs_is_noticed(place):
    sink = place.open()
    sink.resume(None)
    for epoch in (1, 2):
        write(sink, n=[epoch])
        state = sink.prepare(epoch)
        sink.commit(epoch)
    sink.close()
    place.execute("DELETE FROM _streamql_epochs")
    again = place.open()
    with pytest.raises(OutputError, match="has 0 rows of this job, and the checkpoint says that 1"):
        again.resume(state)
    again.close()


def test_a_sink_that_holds_much_asks_for_a_checkpoint(place):
    sink = place.open()
    sink.resume(None)
    assert not sink.full
    for _ in range(7):
        write(sink, t=["x" * 10_000_000])
    assert sink.full
    sink.prepare(1)
    sink.commit(1)
    assert not sink.full
    sink.close()


def test_without_checkpoints_rows_are_seen_when_they_are_flushed(place):
    sink = place.open()
    write(sink, n=[1])
    sink.flush()
    assert place.rows() == [(1,)]
    write(sink, n=[2])
    sink.close()
    assert place.rows() == [(1,), (2,)]
    assert sink.rows == 2


def test_a_database_that_is_locked_is_worth_another_attempt(tmp_path, monkeypatch):
    monkeypatch.setattr("streamql.connectors.sqlite._WAIT", 0.01)
    place = Sqlite(tmp_path / "a.db")
    place.execute("CREATE TABLE t (n INTEGER)")
    sink = place.open()
    other = sqlite3.connect(place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write(sink, n=[1])
    with pytest.raises(OutputError, match="locked") as caught:
        sink.flush()
    assert caught.value.retriable
    other.execute("ROLLBACK")
    other.close()
    sink.flush()
    sink.close()
    assert place.rows() == [(1,)]


def test_a_server_that_goes_away_and_comes_back(postgres):
    place = Postgres(postgres, "away")
    sink = place.open()
    sink.resume(None)
    write(sink, n=[1])
    sink.prepare(1)
    postgres.stop()
    try:
        for _ in range(2):  # the connection breaks; then there is none to be had
            with pytest.raises(OutputError, match=r"cannot write table away\.t") as caught:
                sink.commit(1)
            assert caught.value.retriable
    finally:
        postgres.start()
    sink.commit(1)
    sink.commit(1)
    sink.close()
    assert place.rows() == [(1,)]


def test_a_transaction_that_is_cut_leaves_nothing(postgres):
    """A lock holds the transaction up when the server is stopped."""
    place = Postgres(postgres, "cut")
    place.execute("CREATE TABLE t (n bigint)")
    sink = place.open()
    sink.resume(None)
    write(sink, n=[1, 2, 3])
    state = to_bytes(sink.prepare(1))
    locker = postgres.connect()
    locker.execute("BEGIN")
    locker.execute("LOCK TABLE cut.t IN EXCLUSIVE MODE")
    errors = []

    def commit():
        try:
            sink.commit(1)
        except OutputError as error:
            errors.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
    while not postgres.rows(waiting):
        assert thread.is_alive()
    try:
        postgres.stop()
    finally:
        postgres.start()
    thread.join(30)
    locker.close()
    assert [error.retriable for error in errors] == [True]
    assert place.rows() == []
    sink._disconnect()
    again = place.open()
    again.resume(from_bytes(state))
    again.close()
    assert place.rows() == [(1,), (2,), (3,)]
