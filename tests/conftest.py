"""What several test files start: servers."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A PostgreSQL server; each process of the tests has its own."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    yield server
    server.remove()
