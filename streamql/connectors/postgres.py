"""PostgreSQL as an output: `postgresql://user@host/db?table=[SCHEMA.]NAME&key=a,b`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import OutputError, UsageError
from ..network.secret import ADVICE, Secret
from ..sifting import Refusal, sift
from ..types import Array, Type
from .fitting import Place
from .postgres_errors import error_of, is_of_rows, refused_before, remember, row_of
from .postgres_table import TABLE, as_json, columns_of, copied, join, sql, unique_indexes
from .staged import Part, missing
from .tables import EPOCHS, TableSink, Target, quoted
from .uri import Uri, shown

if TYPE_CHECKING:
    import psycopg

_OPTIONS = ("password", "sslmode", "sslrootcert", "connect_timeout", "host")
_PIECE = 1_000_000
_LONGEST_NAME = 63


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
                sql(f"CREATE TABLE IF NOT EXISTS {self._table} ({', '.join(lines)})")
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
                sql(f"SELECT rows FROM {self._epochs} WHERE job = %s"), (self.job,)
            ).fetchone()
            return None if row is None else int(row[0])

    @property
    def _epochs(self) -> str:
        return f"{quoted(self._schema)}.{quoted(EPOCHS)}"

    def _store(
        self, parts: Sequence[Part], base: int, epoch: int | None
    ) -> Sequence[tuple[int, str]]:
        import psycopg  # noqa: PLC0415 - for jobs that have such an output

        with self._errors(sum(map(len, parts))):
            try:
                return self._transaction(parts, base, epoch, False)
            except psycopg.IntegrityError:
                if not self.dropping:
                    raise
            # a deferred constraint, which no row is to blame for unless it is looked at at once
            return self._transaction(parts, base, epoch, True)

    def _transaction(
        self, parts: Sequence[Part], base: int, epoch: int | None, immediate: bool
    ) -> Sequence[tuple[int, str]]:
        connection, count, at = self._connected(), sum(map(len, parts)), base
        known: list[tuple[int, str]] = []
        refused: list[tuple[int, str]] = []
        with connection.transaction(), connection.cursor() as cursor:
            if immediate:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            if epoch is not None:
                stored = self._locked(cursor)
                parts, at = list(missing(parts, base, stored)), max(base, stored)
                known = refused_before(cursor, self._schema, self.job, base, min(at, base + count))
                cursor.execute(
                    sql(f"UPDATE {self._epochs} SET epoch = %s, rows = %s WHERE job = %s"),
                    (epoch, max(stored, base + count), self.job),
                )
            for part in parts:
                if self.dropping:
                    left = sift(len(part), partial(self._try, cursor, part))
                    refused += [(at + row, error.message) for row, error in left]
                else:
                    self._put_part(cursor, part)
                at += len(part)
            if refused and epoch is not None:
                remember(cursor, self._schema, self.job, refused, epoch)
        return [*known, *refused]

    def _put_part(self, cursor: psycopg.Cursor[Any], part: Part) -> None:
        if self.target.upsert:
            self._upsert(cursor, part)
        else:
            self._copy(cursor, self._table, part)

    def _try(self, cursor: psycopg.Cursor[Any], part: Part, start: int, stop: int) -> None:
        """Store some rows of a part, or nothing of them. Raises Refusal for what they are."""
        import psycopg  # noqa: PLC0415 - for jobs that have such an output

        try:
            with cursor.connection.transaction():
                self._put_part(cursor, part.between(start, stop))
        except psycopg.Error as error:
            if not is_of_rows(error):
                raise
            raise Refusal(
                error_of(error, self.name, self.target.table, 0), row_of(error)
            ) from error

    def _text(self, part: Part, row: int) -> str:
        assert self.places is not None
        return as_json(part.arrays[0][row].as_py(), [self.places[n.lower()] for n in part.names])

    def _locked(self, cursor: psycopg.Cursor[Any]) -> int:
        """Return how many rows of the job are stored; nobody else of the job can go on now."""
        found = cursor.execute("SELECT to_regclass(%s)", (self._epochs,)).fetchone()
        if found is None or found[0] is None:
            # two jobs that start at once may both come here: the one that waits finds it made
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._epochs,))
            cursor.execute(
                sql(
                    f"CREATE TABLE IF NOT EXISTS {self._epochs} (job text PRIMARY KEY, "
                    "output text NOT NULL, epoch bigint NOT NULL, rows bigint NOT NULL)"
                )
            )
        cursor.execute(
            sql(f"INSERT INTO {self._epochs} VALUES (%s, %s, 0, 0) ON CONFLICT DO NOTHING"),
            (self.job, self.target.table),
        )
        row = cursor.execute(
            sql(f"SELECT rows FROM {self._epochs} WHERE job = %s FOR UPDATE"), (self.job,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def _copy(self, cursor: psycopg.Cursor[Any], table: str, part: Part) -> None:
        listed = ", ".join(map(quoted, part.names))
        lines = part.arrays[0]
        whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
        data = pc.binary_join(whole, "\n")[0].as_buffer()
        with cursor.copy(sql(f"COPY {table} ({listed}) FROM STDIN")) as copy:
            view = memoryview(data)
            for start in range(0, len(view), _PIECE):
                copy.write(view[start : start + _PIECE])
            copy.write(b"\n")

    def _upsert(self, cursor: psycopg.Cursor[Any], part: Part) -> None:
        """Put rows into the place of those with their keys; of several with one key the last."""
        listed = ", ".join(map(quoted, part.names))
        key = ", ".join(quoted(place.name) for place in self._key_places())
        number = quoted("_streamql_row")
        for statement in (
            f"CREATE TEMP TABLE _streamql_rows ON COMMIT DROP AS SELECT {listed} "
            f"FROM {self._table} WITH NO DATA",
            f"ALTER TABLE pg_temp._streamql_rows ADD COLUMN {number} bigserial",
        ):
            cursor.execute(sql(statement))
        self._copy(cursor, "pg_temp._streamql_rows", part)
        cursor.execute(
            sql(
                f"INSERT INTO {self._table} ({listed}) SELECT DISTINCT ON ({key}) {listed} "
                f"FROM pg_temp._streamql_rows ORDER BY {key}, {number} DESC "
                f"{self._on_conflict(part.names)}"
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
            raise error_of(error, self.name, self.target.table, count) from error


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
