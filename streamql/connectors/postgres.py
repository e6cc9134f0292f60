"""PostgreSQL as an output: `postgresql://user@host/db?table=[SCHEMA.]NAME&key=a,b`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import OutputError, UsageError
from ..network.secret import ADVICE, Secret
from ..types import Array, Type
from .fitting import Place
from .postgres_table import TABLE, columns_of, copied, join, quoted, unique_indexes
from .staged import Part, missing
from .tables import EPOCHS, TableSink, Target, lost, taken
from .uri import Uri, shown

if TYPE_CHECKING:
    import psycopg

_OPTIONS = ("password", "sslmode", "sslrootcert", "connect_timeout", "host")
_PIECE = 1_000_000
_LONGEST_NAME = 63
_KEY = re.compile(r"Key \((.*)\)=\((.*)\) already exists", re.DOTALL)
_FOR_EVER = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password")
"""What a refused connection says that will be refused again."""


class PostgresSink(TableSink):
    """Rows into a table of PostgreSQL by COPY: exactly once, in transactions."""

    types: ClassVar = {
        Type.BIGINT: "bigint",
        Type.FLOAT: "double precision",
        Type.NUMBER: "double precision",
        Type.BIT: "boolean",
        Type.TEXT: "text",
        Type.DATETIME: "timestamptz",
        Type.RECORD: "jsonb",
        Type.ARRAY: "jsonb",
        Type.ANY: "jsonb",
        Type.NULL: "text",
    }

    def __init__(self, server: str, parameters: Mapping[str, Any], target: Target) -> None:
        super().__init__(f"table {target.table} of {server}", target)
        self._server = server
        self._parameters = parameters
        self._connection: psycopg.Connection[Any] | None = None
        self._schema, self._table = "", ""
        try:
            with self._errors(0):
                self._describe()
        except BaseException:
            self._disconnect()
            raise

    def _connected(self) -> psycopg.Connection[Any]:
        """Return the connection; a new one when the last was lost."""
        import psycopg  # noqa: PLC0415 - for jobs that have such an output

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                **self._parameters, autocommit=True, client_encoding="utf8"
            )
        return self._connection

    # -- the table ----------------------------------------------------------------------------

    def _describe(self) -> None:
        """Learn the table's columns, if it is there."""
        connection = self._connected()
        schema, dot, name = self.target.table.rpartition(".")
        found = connection.execute(TABLE, {"schema": schema if dot else None, "name": name})
        rows = found.fetchall()
        exact = [row for row in rows if row[2] == name] or rows
        if not exact or exact[0][1] is None:
            where = f"schema {schema}" if dot else "schema on the search_path"
            raise OutputError(
                f"{self._server} has no {where}", hint="create it, or say table=SCHEMA.NAME"
            )
        _, self._schema, table, kind, oid = exact[0]
        self._table = f"{quoted(self._schema)}.{quoted(table or name)}"
        if table is None:
            return
        if len(exact) > 1:
            listed = ", ".join(str(row[2]) for row in exact)
            raise OutputError(
                f"{self._server} has the tables {listed}", hint="write the name as one of them"
            )
        if kind not in ("r", "p"):
            raise OutputError(f"{self._table} of {self._server} is no table", hint="name a table")
        key = {column.lower() for column in self.target.key}
        self.places = columns_of(connection, oid, key)
        self._matches.clear()
        self._require_unique(unique_indexes(connection, oid))

    def _create(self, definitions: Sequence[tuple[str, str]]) -> None:
        for name in [*(name for name, _ in definitions), self.target.table.rpartition(".")[2]]:
            if len(name.encode()) > _LONGEST_NAME:
                raise OutputError(
                    f"the name {name[:40]}... is longer than PostgreSQL allows "
                    f"({_LONGEST_NAME} bytes)",
                    hint="give the column a shorter name with AS",
                )
        spelled = {name.lower(): name for name, _ in definitions}
        lines = [f"{quoted(name)} {kind}" for name, kind in definitions]
        if self.target.key:
            key = ", ".join(quoted(spelled[column.lower()]) for column in self.target.key)
            lines.append(f"PRIMARY KEY ({key})")
        with self._errors(0):
            connection = self._connected()
            connection.execute(
                _sql(f"CREATE TABLE IF NOT EXISTS {self._table} ({', '.join(lines)})")
            )
            self._describe()

    def _quoted_table(self) -> str:
        return self._table

    # -- rows ---------------------------------------------------------------------------------

    def _encode(self, array: Array, place: Place) -> Array:
        return copied(array, place)

    def _pack(self, names: tuple[str, ...], arrays: Sequence[Array]) -> Part:
        """Return rows as lines for COPY."""
        return Part(names, (join(arrays),))

    def _stored(self) -> int | None:
        with self._errors(0):
            connection = self._connected()
            found = connection.execute("SELECT to_regclass(%s)", (self._epochs,)).fetchone()
            if found is None or found[0] is None:
                return None
            row = connection.execute(
                _sql(f"SELECT rows FROM {self._epochs} WHERE job = %s"), (self.job,)
            ).fetchone()
            return None if row is None else int(row[0])

    @property
    def _epochs(self) -> str:
        return f"{quoted(self._schema)}.{quoted(EPOCHS)}"

    def _store(self, parts: Sequence[Part], base: int, epoch: int | None) -> None:
        count = sum(map(len, parts))
        with self._errors(count):
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                if epoch is not None:
                    stored = self._locked(cursor)
                    parts = list(missing(parts, base, stored))
                    cursor.execute(
                        _sql(f"UPDATE {self._epochs} SET epoch = %s, rows = %s WHERE job = %s"),
                        (epoch, max(stored, base + count), self.job),
                    )
                for part in parts:
                    if self.target.upsert:
                        self._upsert(cursor, part)
                    else:
                        self._copy(cursor, self._table, part)

    def _locked(self, cursor: psycopg.Cursor[Any]) -> int:
        """Return how many rows of the job are stored; nobody else of the job can go on now."""
        found = cursor.execute("SELECT to_regclass(%s)", (self._epochs,)).fetchone()
        if found is None or found[0] is None:
            # two jobs that start at once may both come here: the one that waits finds it made
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._epochs,))
            cursor.execute(
                _sql(
                    f"CREATE TABLE IF NOT EXISTS {self._epochs} (job text PRIMARY KEY, "
                    "output text NOT NULL, epoch bigint NOT NULL, rows bigint NOT NULL)"
                )
            )
        cursor.execute(
            _sql(f"INSERT INTO {self._epochs} VALUES (%s, %s, 0, 0) ON CONFLICT DO NOTHING"),
            (self.job, self.target.table),
        )
        row = cursor.execute(
            _sql(f"SELECT rows FROM {self._epochs} WHERE job = %s FOR UPDATE"), (self.job,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _copy(self, cursor: psycopg.Cursor[Any], table: str, part: Part) -> None:
        listed = ", ".join(map(quoted, part.names))
        lines = part.arrays[0]
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        data = pc.binary_join(whole, "\n")[0].as_buffer()
        with cursor.copy(_sql(f"COPY {table} ({listed}) FROM STDIN")) as copy:
            view = memoryview(data)
            for start in range(0, len(view), _PIECE):
                copy.write(view[start : start + _PIECE])
            copy.write(b"\n")

    def _upsert(self, cursor: psycopg.Cursor[Any], part: Part) -> None:
        """Put rows into the place of those with their keys; of several with one key the last."""
        listed = ", ".join(map(quoted, part.names))
        places = [place.name for place in self._key_places()]
        key = ", ".join(map(quoted, places))
        rest = [quoted(name) for name in part.names if name not in places]
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in rest)
        action = f"DO UPDATE SET {changes}" if rest else "DO NOTHING"
        number = quoted("_streamql_row")
        for statement in (
            f"CREATE TEMP TABLE _streamql_rows ON COMMIT DROP AS SELECT {listed} "
            f"FROM {self._table} WITH NO DATA",
            f"ALTER TABLE pg_temp._streamql_rows ADD COLUMN {number} bigserial",
        ):
            cursor.execute(_sql(statement))
        self._copy(cursor, "pg_temp._streamql_rows", part)
        cursor.execute(
            _sql(
                f"INSERT INTO {self._table} ({listed}) SELECT DISTINCT ON ({key}) {listed} "
                f"FROM pg_temp._streamql_rows ORDER BY {key}, {number} DESC "
                f"ON CONFLICT ({key}) {action}"
            )
        )
        cursor.execute("DROP TABLE pg_temp._streamql_rows")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def _errors(self, count: int) -> Iterator[None]:
        """Turn errors of the server into ours; `count` rows are in the transaction."""
        import psycopg  # noqa: PLC0415 - for jobs that have such an output

        try:
            yield
        except psycopg.Error as error:
            detail = error.diag.message_detail or ""
            said = " ".join((error.diag.message_primary or str(error)).split())
            if isinstance(error, psycopg.errors.UniqueViolation):
                found = _KEY.search(detail)
                columns = found[1].split(", ") if found else ["COLUMN"]
                values = found[2] if found else ""
                raise taken(self.target.table, columns, values, count) from error
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                passing = not any(word in said for word in _FOR_EVER)
                hint = None if passing else "the password is given as password=env:NAME"
                if "does not exist" in said:
                    hint = "the URI is postgresql://USER@HOST:PORT/DATABASE?table=NAME"
                raise OutputError(
                    f"cannot write {self.name}: {said}{lost(count)}", hint=hint, retriable=passing
                ) from error
            # a value that only the server could refuse: COPY says in which column
            where = re.search(r"column ([^:]*)", error.diag.context or "")
            column = f" (column {where[1]})" if where else f" ({detail})" if detail else ""
            raise OutputError(f"cannot write {self.name}: {said}{column}{lost(count)}") from error


def _sql(statement: str) -> Any:
    """Return a statement whose names are quoted already."""
    return statement.encode()


def open_postgres_sink(uri: Uri) -> PostgresSink:
    """Return the sink of a URI such as `postgresql://me@db.local/rides?table=fares`."""
    parts = urlsplit(f"postgresql://{uri.path}")
    if parts.password is not None:
        raise UsageError(
            f"{shown(uri.text).partition('?')[0]} has a password in it",
            hint=f"{ADVICE}: ...?password=env:PGPASSWORD",
        )
    target = Target.of_options(uri.options, _OPTIONS)
    try:
        import psycopg  # noqa: F401, PLC0415 - only here is it needed
    except ImportError:
        raise UsageError(
            "outputs to PostgreSQL need the package psycopg",
            hint="pip install 'streamql[postgres]'",
        ) from None
    try:
        port = parts.port
    except ValueError:
        raise UsageError(f"{shown(uri.text)!r} has a port that is no number") from None
    parameters: dict[str, Any] = {
        "host": unquote(parts.hostname or ""),
        "port": port,
        "user": unquote(parts.username or ""),
        "dbname": unquote(parts.path.strip("/")),
        "application_name": "streamql",
        "connect_timeout": 10,
    }
    for name in _OPTIONS:
        if name in uri.options:
            parameters[name] = uri.options[name]
    if not uri.options.get("host", "/").startswith("/"):
        raise UsageError(
            "the option host is for the folder of a socket",
            hint="the host stands before the path: postgresql://USER@HOST:PORT/DATABASE",
        )
    if "password" in parameters:
        try:
            parameters["password"] = Secret.refer(parameters["password"]).value()
        except ValueError as error:
            raise UsageError(f"password takes {error}", hint=ADVICE) from None
    server = f"postgresql://{uri.path}"
    return PostgresSink(server, {k: v for k, v in parameters.items() if v}, target)
