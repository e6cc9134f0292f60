"""What several test files start or make: servers, projects; and how properties are tried."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from project_files import command, project

__all__ = ["command", "postgres", "project", "s3"]

# how long an example takes says more about the machine's other work than about the property
settings.register_profile("streamql", deadline=None)
settings.load_profile("streamql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A PostgreSQL server; each process of the tests has its own."""
    from postgres_server import PostgresServer

    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def s3() -> Iterator[object]:
    """An object store that speaks S3; each process of the tests has its own."""
    from s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def runtime() -> Iterator[object]:
    """What runs JavaScript; each file of tests has its own."""
    from streamql.udf.javascript import JavaScriptRuntime

    made = JavaScriptRuntime()
    yield made
    made.close()


@pytest.fixture
def strict() -> Iterator[object]:
    """A runtime of its own with tight limits, for what breaks isolates."""
    from streamql.udf.javascript import JavaScriptRuntime

    made = JavaScriptRuntime(timeout=0.4, max_heap=64 << 20)
    yield made
    made.close()
