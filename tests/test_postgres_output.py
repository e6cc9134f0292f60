"""PostgreSQL as an output: its types, what only the server knows, and how it is reached."""

import pyarrow as pa
import pytest
from table_outputs import MOMENT, ROW, Postgres, fill, write

from streamql.column import Column, from_values
from streamql.connectors.catalog import open_sink
from streamql.errors import OutputError, UsageError
from streamql.instants import parse_one
from streamql.types import Type


@pytest.fixture
def postgres_place(postgres):
    return Postgres(postgres, "tables")


def test_every_type_in_postgres(postgres_place):
    sink = postgres_place.open()
    names = [*ROW, "d"]
    moments = Column(Type.DATETIME, pa.array([parse_one(MOMENT), parse_one("0001-01-01"), None]))
    sink.write(names, [*(from_values(v) for v in ROW.values()), moments])
    sink.close()
    kinds = postgres_place.rows(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'tables' AND table_name = 't' ORDER BY ordinal_position"
    )
    assert dict(kinds) == {
        "i": "bigint",
        "f": "double precision",
        "m": "double precision",
        "b": "boolean",
        "r": "jsonb",
        "l": "jsonb",
        "x": "jsonb",
        "n": "text",
        "d": "timestamp with time zone",
    }
    found = postgres_place.rows("SELECT i, f, m, b, r, l, x, n FROM t")
    assert [list(column) for column in zip(*found, strict=True)] == list(ROW.values())
    moments = postgres_place.rows("SELECT (d AT TIME ZONE 'UTC')::text FROM t")
    assert [m for (m,) in moments] == [
        "2024-03-05 08:15:00.123456",  # the seventh digit is cut
        "0001-01-01 00:00:00",
        None,
    ]


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("numeric(6,2)", 12.345, "12.35"),  # as the server rounds
        ("real", 2, "2"),
        ("smallint", 7, "7"),
        ("varchar(3)", "abc", "abc"),
        ("date", "2024-03-05T23:00:00Z", "2024-03-05"),
        ("timestamp", "2024-03-05T23:00:00.5Z", "2024-03-05 23:00:00.5"),
        ("uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
        ("json", "text", '"text"'),
        ("jsonb", [1, 2], "[1, 2]"),
    ],
)
def test_types_of_postgres(postgres_place, kind, value, stored):
    postgres_place.execute(f"CREATE TABLE t (v {kind})")
    fill(postgres_place, v=[value])
    assert postgres_place.rows("SELECT v::text FROM t") == [(stored,)]


def test_what_only_the_server_refuses(postgres_place):
    postgres_place.execute("CREATE TABLE t (v uuid, n bigint CHECK (n > 0))")
    sink = postgres_place.open()
    write(sink, v=["none"], n=[1])
    with pytest.raises(OutputError, match=r"uuid: \"none\" \(column v\).* row is not stored"):
        sink.flush()
    write(sink, n=[0])
    with pytest.raises(OutputError, match=r"violates check constraint .*\(Failing row"):
        sink.flush()
    write(sink, n=[1])
    sink.close()
    assert postgres_place.rows("SELECT n FROM t") == [(1,)]


def test_passwords_come_from_the_environment_or_a_file(postgres, tmp_path, monkeypatch):
    postgres.execute("DROP ROLE IF EXISTS guarded", "CREATE ROLE guarded LOGIN PASSWORD 's3cret-x'")
    postgres.execute("GRANT CREATE ON SCHEMA public TO guarded")
    uri = f"postgresql://guarded@127.0.0.1:{postgres.port}/postgres?table=secured&password="
    monkeypatch.setenv("RIDES_PASSWORD", "s3cret-x")
    (tmp_path / "password").write_text("s3cret-x\n")
    for given in ("env:RIDES_PASSWORD", f"file:{tmp_path}/password"):
        sink = open_sink(uri + given)
        write(sink, n=[1])
        sink.close()
        assert "s3cret" not in sink.name
    monkeypatch.setenv("RIDES_PASSWORD", "wr0ng-y")
    with pytest.raises(OutputError, match="authentication failed") as refused:
        open_sink(uri + "env:RIDES_PASSWORD")
    assert not refused.value.retriable
    assert "wr0ng" not in refused.value.message + str(refused.value.hint)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:s3cret@127.0.0.1:1/rides?table=t",
        "postgresql://127.0.0.1:1/rides?table=t&password=s3cret",
        "postgres://me:s3cret@127.0.0.1:1/rides?tabel=t",
        "postgre://me:s3cret@127.0.0.1:1/rides?table=t",
    ],
)
def test_passwords_in_uris_are_refused_and_not_repeated(uri):
    with pytest.raises(UsageError) as caught:
        open_sink(uri)
    assert "s3cret" not in caught.value.message + str(caught.value.hint)


def test_a_socket(postgres):
    folder = f"host={postgres.folder}"
    uri = f"postgresql://rides@:{postgres.port}/postgres?table=by_socket&"
    sink = open_sink(uri + folder)
    write(sink, n=[1])
    sink.close()
    assert postgres.rows("SELECT n FROM by_socket") == [(1,)]
    with pytest.raises(UsageError, match="the folder of a socket"):
        open_sink(uri + "host=db.example.com")


@pytest.mark.parametrize(
    ("change", "message", "retriable"),
    [
        ("nobody@127.0.0.1:{port}/postgres", 'role "nobody" does not exist', False),
        ("rides@127.0.0.1:{port}/nothing", 'database "nothing" does not exist', False),
        ("rides@127.0.0.1:1/postgres", "Connection refused", True),
    ],
)
def test_servers_that_cannot_be_used(postgres, change, message, retriable):
    with pytest.raises(OutputError, match=message) as caught:
        open_sink(f"postgresql://{change.format(port=postgres.port)}?table=t")
    assert caught.value.retriable is retriable


def test_hosts_that_are_not_allowed():
    with pytest.raises(UsageError, match=r"the host '127\.0\.0\.1' is not among those") as caught:
        open_sink("postgresql://127.0.0.1:1/rides?table=t", None, ["*.example.com", "127.0.0.1:2"])
    assert caught.value.hint == "allowed_hosts is *.example.com, 127.0.0.1:2"
    with pytest.raises(OutputError, match="refused"):
        open_sink("postgresql://127.0.0.1:1/rides?table=t", None, ["127.0.0.1:1"])
