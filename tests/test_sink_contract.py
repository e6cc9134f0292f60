"""The contract of sinks: whatever dies when, each row is there once (or at least once).

A job is played with its checkpoints: rows are numbers, a checkpoint is the number of rows written
and the sink's state, and the process dies at every place it can.
"""

import itertools
import sqlite3
import threading

import numpy as np
import pytest
from sink_places import FEW, PLACES, make
from table_outputs import Postgres, Sqlite, write

from streamql.connectors.contract import EXACTLY_ONCE
from streamql.errors import OutputError
from streamql.runtime.state import from_bytes, to_bytes

ROWS_PER_EPOCH = 3
DEATHS = ("never", "written", "prepared", "saved", "committed", "older")


class Died(Exception):
    """The process is gone."""


class Job:
    """Writes rows with checkpoints; `disk` is all that outlives it.

    With `dropping` the sink leaves out what its place refuses; which rows that were is in
    `refused`, cut off at a restart as a file of dead letters is.
    """

    def __init__(self, place, dropping=False):
        self.place = place
        self.dropping = dropping
        self.refused = []
        self.disk = [(0, 0, None, 0)]

    def life(self, deaths):
        """Run from the newest checkpoint until all epochs are done, or until a death."""
        epoch, written, state, letters = self.disk[-1]
        del self.refused[letters:]
        sink = self.place.open()
        sink.dropping, sink.on_refused = self.dropping, self.refused.append
        try:
            sink.resume(None if state is None else from_bytes(state))
            while epoch < len(deaths):
                death = deaths[epoch]
                epoch += 1
                for _ in range(ROWS_PER_EPOCH):
                    sink.events = np.array([written + 1])
                    write(sink, n=[written], t=[f"row {written}"])
                    written += 1
                sink.flush()
                self._die(death, "written")
                state = to_bytes(sink.prepare(epoch))
                letters = len(self.refused)
                self._die(death, "prepared")
                self.disk.append((epoch, written, state, letters))
                self._die(death, "saved")
                sink.commit(epoch)
                if death == "older" and epoch > 1:
                    self.disk.pop()  # the newest checkpoint turns out to be damaged
                    self._die(death, "older")
                self._die(death, "committed")
                sink.commit(epoch)
            sink.close()
        except BaseException:
            self.place.gone(sink)
            raise
        return sink

    def _die(self, death, now):
        if death == now:
            raise Died

    def run(self, deaths):
        """Run to the end and return the number of rows, and the last sink."""
        deaths = list(deaths)
        while True:
            try:
                return len(deaths) * ROWS_PER_EPOCH, self.life(deaths)
            except Died:
                deaths = self._after(deaths)

    def _after(self, deaths):
        """Return the deaths that are left: one that was died is not died again."""
        first = next(i for i, death in enumerate(deaths) if death != "never")
        return [*deaths[:first], "never", *deaths[first + 1 :]]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("last", DEATHS)
def test_whatever_dies_when(name, last, tmp_path, request):
    place = make(name, tmp_path / "first", request)
    some = DEATHS[:1] if place.effort == FEW else DEATHS
    for number, (first, second) in enumerate(itertools.product(some, DEATHS)):
        deaths = (first, second, last)
        place = make(name, tmp_path / str(number), request)
        total, sink = Job(place).run(deaths)
        found = place.rows()
        if place.delivery == EXACTLY_ONCE:
            assert found == list(range(total)), deaths
            assert sink.rows == total, deaths
        assert set(found) == set(range(total)), deaths


@pytest.mark.parametrize("name", PLACES)
def test_a_sink_says_what_it_promises(name, tmp_path, request):
    place = make(name, tmp_path, request)
    sink = place.open()
    sink.resume(None)
    # a server that looks at keys makes more of the promise
    promised = "at least once" if name.startswith("server") else place.delivery
    assert sink.delivery == promised
    assert not sink.full
    place.gone(sink)


@pytest.mark.parametrize("name", PLACES)
def test_a_checkpoint_that_was_not_saved_is_made_up_for_by_the_next(name, tmp_path, request):
    place = make(name, tmp_path, request)
    sink = place.open()
    sink.resume(None)
    for epoch in (1, 2):
        write(sink, n=[epoch], t=["a"])
        sink.prepare(epoch)
    sink.commit(2)
    sink.close()
    assert place.rows() == [1, 2]


@pytest.mark.parametrize("name", PLACES)
def test_a_job_without_rows_can_be_continued(name, tmp_path, request):
    place = make(name, tmp_path, request)
    state = None
    for epoch in (1, 2, 3):
        sink = place.open()
        sink.resume(None if state is None else from_bytes(state))
        if epoch == 3:
            write(sink, n=[1], t=["a"])
        state = to_bytes(sink.prepare(epoch))
        sink.commit(epoch)
        if epoch == 3:
            sink.close()
        else:
            place.gone(sink)
    assert place.rows() == [1]


CHECKED = "CREATE TABLE t (n bigint CHECK (n NOT IN (1, 4, 5)), t text, UNIQUE (n))"


@pytest.mark.parametrize("name", ["sqlite", "sqlite by key", "postgres", "postgres by key"])
@pytest.mark.parametrize("last", DEATHS)
def test_rows_that_are_refused_are_told_once_whatever_dies_when(name, last, tmp_path, request):
    for number, (first, second) in enumerate(itertools.product(DEATHS[:1], DEATHS)):
        place = make(name, tmp_path / str(number), request)
        place.place.execute(CHECKED)
        job = Job(place, dropping=True)
        total, sink = job.run((first, second, last))
        assert place.rows() == [n for n in range(total) if n not in (1, 4, 5)]
        assert [row.event for row in job.refused] == [2, 5, 6]
        assert sink.rows == total - 3


# -- tables ---------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return make(request.param, tmp_path, request).place


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
