"""What several test files start or make: servers, projects."""

from collections.abc import Iterator

import pytest
from project_files import command, project

__all__ = ["command", "postgres", "project"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A PostgreSQL server; each process of the tests has its own."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    yield server
    server.remove()
