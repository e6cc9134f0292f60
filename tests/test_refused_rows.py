"""Rows that only the place of an output can refuse, in jobs with checkpoints.

What a database knows is known when a transaction is stored, after the checkpoint was saved: under
`drop` the bad rows alone are left out, whoever dies when, and all rows are accounted for.
"""

from __future__ import annotations

import threading

import pytest
from checkpointed import Task
from refused_rows import COLUMNS, EVENTS, QUERY, TASK, Into, odd, verify
from table_outputs import Postgres, Sqlite

from streamql.errors import OutputError
from streamql.runtime.coordinator import POINTS


def never(_row):
    return False


def again(row):
    return row["id"] >= 40


def early(row):
    return row["id"] < 40


RAISE = "CREATE TRIGGER odd BEFORE INSERT ON t WHEN NEW.v IN (3, 17, 18) BEGIN {} END"
FUNCTION = (
    "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NEW.v IN (3, 17, 18) THEN RAISE 'odd'; END IF; RETURN NEW; END $$"
)
KNOWN = "CREATE TABLE known (v bigint PRIMARY KEY)"
FILL = "INSERT INTO known SELECT n FROM generate_series(0, 40) AS n WHERE n NOT IN (3, 17, 18)"
# what the database has, which rows it refuses, and what it says
SQLITE = {
    "check": ([f"CREATE TABLE t ({COLUMNS}, CHECK (v NOT IN (3, 17, 18)))"], odd, "CHECK"),
    "unique": ([f"CREATE TABLE t ({COLUMNS}, UNIQUE (v))"], again, "in table t already: v"),
    "trigger": (
        [f"CREATE TABLE t ({COLUMNS})", RAISE.format("SELECT RAISE(ABORT, 'it is odd');")],
        odd,
        "it is odd",
    ),
}
POSTGRES = {
    "check": ([f"CREATE TABLE t ({COLUMNS}, CHECK (v NOT IN (3, 17, 18)))"], odd, "check constra"),
    "unique": ([f"CREATE TABLE t ({COLUMNS}, UNIQUE (v))"], again, r"already: v = \d+"),
    "domain": (
        ["CREATE DOMAIN few AS bigint CHECK (VALUE NOT IN (3, 17, 18))",
         "CREATE TABLE t (id bigint, v few, name text)"],
        odd,
        "value for domain refused.few",
    ),
    "generated": (
        [f"CREATE TABLE t ({COLUMNS}, x bigint GENERATED ALWAYS AS (1 / (v - 3) / (v - 17) / (v - 18)) STORED)"],
        odd,
        "division by zero",
    ),
    "trigger": (
        [f"CREATE TABLE t ({COLUMNS})", FUNCTION,
         "CREATE TRIGGER odd BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd()"],
        odd,
        "odd",
    ),
    "late trigger": (
        [f"CREATE TABLE t ({COLUMNS})", FUNCTION,
         "CREATE TRIGGER odd AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd()"],
        odd,
        "odd",
    ),
    "foreign key": (
        [KNOWN, FILL, f"CREATE TABLE t ({COLUMNS}, FOREIGN KEY (v) REFERENCES known)"],
        odd,
        "foreign key",
    ),
    "deferred foreign key": (
        [KNOWN, FILL, f"CREATE TABLE t ({COLUMNS}, FOREIGN KEY (v) REFERENCES known "
         "DEFERRABLE INITIALLY DEFERRED)"],
        odd,
        "foreign key",
    ),
    "deferred unique": (
        [f"CREATE TABLE t ({COLUMNS}, UNIQUE (v) DEFERRABLE INITIALLY DEFERRED)"],
        again,
        r"already: v = \d+",
    ),
    "partition": (
        [f"CREATE TABLE t ({COLUMNS}) PARTITION BY RANGE (id)",
         "CREATE TABLE first PARTITION OF t FOR VALUES FROM (40) TO (1000)"],
        early,
        "no partition",
    ),
}  # fmt: skip


def place_of(kind, name, request, tmp_path):
    """Return a place with its table, the predicate of bad rows, and what is said of one."""
    tables, bad, said = {"sqlite": SQLITE, "postgres": POSTGRES}[kind][name]
    if kind == "sqlite":
        place = Sqlite(tmp_path / "o.db")
        uri = f"sqlite://{place.path}?table=t"
    else:
        server = request.getfixturevalue("postgres")
        place = Postgres(server, "refused")
        uri = f"{server.uri}?table=refused.t"
    place.execute(*tables)
    return place, uri, bad, said


CASES = [("sqlite", name) for name in SQLITE] + [("postgres", name) for name in POSTGRES]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_bad_rows_alone_are_dropped(kind, name, request, tmp_path):
    place, uri, bad, said = place_of(kind, name, request, tmp_path)
    for checkpoint in (False, True):
        place.execute("DELETE FROM t")
        run = Into(uri, TASK, tmp_path / f"job {checkpoint}")
        summary = run.run(checkpoint=checkpoint)
        verify(run, summary, place.rows("SELECT id, v, name FROM t ORDER BY id"), bad, said)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "name"), [("sqlite", "check"), ("sqlite", "unique"), ("postgres", "check")]
)
def test_whoever_dies_when(kind, name, point, number, request, tmp_path):
    place, uri, bad, said = place_of(kind, name, request, tmp_path)
    run = Into(uri, TASK, tmp_path / "job")
    assert run.crash(point, number)
    run.crash(point, number)
    summary = run.run()
    stored = place.rows("SELECT id, v, name FROM t ORDER BY id")
    verify(run, summary, stored, bad, said)
    idle = run.run()
    assert idle.checkpoints.idle
    verify(run, idle, stored, bad, said)


@pytest.mark.parametrize("action", ["fail", "retry"])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_without_drop_the_job_stops_and_goes_on_when_the_table_is_right(
    kind, action, request, tmp_path
):
    place, uri, _, _ = place_of(kind, "check", request, tmp_path)
    run = Into(uri, Task(QUERY, {"a": EVENTS}, {"output_errors": action}), tmp_path / "job")
    for _ in range(2):
        with pytest.raises(OutputError, match="not stored") as caught:
            run.run()
        assert "output_errors=drop" in caught.value.hint
    # the checkpoint with the bad rows was saved, so that they are stored as soon as they can be
    place.execute("DROP TABLE t", f"CREATE TABLE t ({COLUMNS})")
    summary = run.run()
    assert place.rows("SELECT id FROM t ORDER BY id") == [(e["id"],) for e in EVENTS]
    assert summary.outputs["o"].missing == 0
    assert run.letters() == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_with_a_key_rows_are_replaced_and_bad_ones_dropped(kind, request, tmp_path):
    place, uri, _, said = place_of(kind, "check", request, tmp_path)
    place.execute("CREATE UNIQUE INDEX by_v ON t (v)")
    run = Into(f"{uri}&key=v", TASK, tmp_path / "job")
    summary = run.run()
    last = [e for e in EVENTS[-40:] if not odd(e)]
    assert place.rows("SELECT id, v FROM t ORDER BY v") == [(e["id"], e["v"]) for e in last]
    dropped = [number for number, reason, _ in run.letters() if said in reason]
    assert dropped == [n + 1 for n, e in enumerate(EVENTS) if odd(e)]
    account = summary.outputs["o"]
    assert (account.dropped, account.missing) == (len(dropped), 0)


@pytest.mark.parametrize("statement", ["DROP TABLE t", "ALTER TABLE t DROP COLUMN name"])
@pytest.mark.parametrize("action", ["drop", "fail"])
def test_a_table_that_is_changed_under_a_job_ends_it(statement, action, postgres, tmp_path):
    place = Postgres(postgres, "changed")
    place.execute(f"CREATE TABLE t ({COLUMNS})")
    task = Task(QUERY, {"a": EVENTS}, {"output_errors": action})
    run = Into(f"{postgres.uri}?table=changed.t", task, tmp_path / "job")

    def reached(point, number):
        if (point, number) == ("saved", 2):
            place.execute(statement)

    run.reached = reached
    with pytest.raises(OutputError, match="does not exist"):
        run.run()
    run.reached = None
    place.execute("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({COLUMNS})")
    run.run()
    assert run.letters() == []


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_a_server_that_is_away_in_the_middle_of_a_transaction(action, postgres, tmp_path):
    place = Postgres(postgres, "gone")
    place.execute(*POSTGRES["check"][0] if action == "drop" else [f"CREATE TABLE t ({COLUMNS})"])
    task = Task(QUERY, {"a": EVENTS}, {"output_errors": action})
    run = Into(f"{postgres.uri}?table=gone.t", task, tmp_path / "job")
    stopped = []

    def stop():
        while not postgres.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert threading.main_thread().is_alive()
        postgres.stop()
        stopped.append(True)

    def reached(point, number):
        if (point, number) == ("saved", 2):  # the transaction waits for the lock when it is cut
            locker = postgres.connect()
            locker.execute("BEGIN")
            locker.execute("LOCK TABLE gone.t IN EXCLUSIVE MODE")
            run.stopping = threading.Thread(target=stop)
            run.stopping.start()
            run.locker = locker

    class Restarting(list):
        def append(self, text):
            super().append(text)
            if "trying again" in text:
                run.stopping.join(60)
                postgres.start()

    run.reached, run.warnings = reached, Restarting()
    summary = run.run()
    run.locker.close()
    assert stopped
    assert [text.partition(" ")[2][:16] for text in run.warnings][-1] == "works again, aft"
    bad = odd if action == "drop" else never
    verify(run, summary, place.rows("SELECT id, v, name FROM t ORDER BY id"), bad, "check")


def test_a_trigger_that_takes_back_the_transaction_ends_the_job(tmp_path):
    place = Sqlite(tmp_path / "o.db")
    place.execute(f"CREATE TABLE t ({COLUMNS})", RAISE.format("SELECT RAISE(ROLLBACK, 'all');"))
    run = Into(f"sqlite://{place.path}?table=t", TASK, tmp_path / "job")
    with pytest.raises(OutputError, match="all; the transaction's"):
        run.run()
    assert place.rows("SELECT MAX(v) FROM t")[0][0] in (None, 2)
