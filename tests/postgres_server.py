"""A PostgreSQL server of the tests' own, from Debian's package, on a free loopback port."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg

MISSING = (
    "PostgreSQL's programs initdb and pg_ctl are neither in /usr/lib/postgresql/*/bin nor on PATH: "
    "install the package postgresql (apt-get install postgresql)"
)


def programs() -> Path | None:
    """Return the folder of the server's programs, the newest there is, None if there is none."""
    found = sorted(
        glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"), key=lambda p: float(p.split("/")[4])
    )
    program = found[-1] if found else shutil.which("pg_ctl")
    return Path(program).resolve().parent if program else None


class PostgresServer:
    """The server: `start` and `stop` it as often as you like; the data stay."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None, MISSING
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="streamql-postgres-"))
        # the server refuses to run as the superuser
        self._as: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = ["runuser", "-u", "postgres", "--"]
        self.data = self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "rides", "-E", "UTF8", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        rules = self.data / "pg_hba.conf"
        rules.write_text(
            "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
            "local all all trust\n"
        )
        self.start()

    @property
    def uri(self) -> str:
        """The URI of its database, without options."""
        return f"postgresql://rides@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.uri, autocommit=True)

    def rows(self, query: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -F -c listen_addresses=127.0.0.1"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        with open(os.devnull, "rb") as nothing, tempfile.TemporaryFile() as said:
            # a pipe would be inherited by the server, and never end
            done = subprocess.run(
                [*self._as, str(self._programs / program), *arguments],
                stdin=nothing,
                stdout=said,
                stderr=said,
                check=False,
                cwd=self.folder,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read().decode()}"
