"""Servers as outputs: requests, keys, retries, secrets."""

import json

import pyarrow as pa
import pytest
from adversary import Adversary, Reply
from table_outputs import ROW, write

from streamql.column import from_values
from streamql.connectors.catalog import open_sink
from streamql.errors import OutputError, UsageError
from streamql.network.retry import Clock
from streamql.runtime.state import from_bytes, to_bytes


class StillClock(Clock):
    """A clock whose pauses take no time, and are kept."""

    def __init__(self):
        self.pauses = []

    def wall(self):
        return 1_700_000_000.0

    def random(self):
        return 1.0

    async def sleep(self, seconds):
        self.pauses.append(seconds)


def taken(request):
    return Reply(b"", 200)


def answers(*replies):
    """Answer the first requests as given, all further ones with 200."""
    return lambda request: (
        replies[request.number - 1] if request.number <= len(replies) else Reply()
    )


def opened(server, options="", clock=None):
    sink = open_sink(server.url + options)
    sink._clock = clock or StillClock()
    return sink


def received(server):
    return [json.loads(request.body) for request in server.requests]


def keys(server):
    return [request.headers["Idempotency-Key".lower()] for request in server.requests]


def test_rows_of_every_type():
    with Adversary(taken) as server:
        sink = opened(server)
        sink.write(list(ROW), [from_values(values) for values in ROW.values()])
        sink.flush()
        sink.write_records(pa.array(['{"a":1}', '{"b":"\\u00fc\\n"}']))
        sink.close()
    rows = [dict(zip(ROW, row, strict=True)) for row in zip(*ROW.values(), strict=True)]
    assert received(server) == [rows, [{"a": 1}, {"b": "ü\n"}]]
    assert server.requests[0].headers["content-type"] == "application/json"
    assert server.requests[0].path == "/score"


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ("", [50]),
        ("?max_rows=20", [20, 20, 10]),
        ("?max_bytes=100", [12, 11, 11, 11, 5]),  # {"n":0}, is 8 bytes, and 9 from 10 on
        ("?max_bytes=5", [1] * 50),  # a row that is too long goes alone
        ("?max_bytes=100&max_rows=11", [11, 11, 11, 11, 6]),
    ],
)
def test_requests_are_cut(options, sizes):
    with Adversary(taken) as server:
        sink = opened(server, options)
        write(sink, n=list(range(50)))
        sink.close()
    assert [len(rows) for rows in received(server)] == sizes
    assert [row["n"] for rows in received(server) for row in rows] == list(range(50))
    if "max_bytes=100" in options:
        assert max(len(request.body) for request in server.requests) <= 100
    assert len(set(keys(server))) == len(sizes)


def test_a_request_is_repeated_with_its_key():
    replies = [
        Reply(b"", 503),
        Reply(b"", 429, {"retry-after": "7"}),
        Reply(b"", 503, {"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}),
        Reply(b"", None),
        Reply(b"", 500),
    ]
    clock = StillClock()
    with Adversary(answers(*replies)) as server:
        sink = opened(server, clock=clock)
        write(sink, n=[1])
        sink.close()
    assert len(set(keys(server))) == 1
    assert received(server) == [[{"n": 1}]] * 6
    assert clock.pauses == [0.1, 7.1, 10.1, 0.8, 1.6]


@pytest.mark.parametrize(
    ("reply", "message", "hint", "retriable"),
    [
        (
            Reply(b"no\n such field", 400),
            r"answered 400 Bad Request: no such field; 2 rows",
            "output_errors=drop",
            False,
        ),
        (Reply(b"", 401), "answered 401 Unauthorized", "key=env:NAME", False),
        (Reply(b"", 413), "answered 413", "max_rows=100", False),
        (Reply(b"", 302, {"location": "/login"}), "answered 302 Found", None, False),
        (
            Reply(b"", 503),
            r"503 Service Unavailable \(4 attempts\); 2 rows were sent before",
            None,
            True,
        ),
        (Reply(b"", None), r"broke the connection .*\(4 attempts\)", None, True),
    ],
)
def test_requests_that_are_not_taken(reply, message, hint, retriable):
    with Adversary(lambda r: Reply() if r.number == 1 else reply) as server:
        sink = opened(server, "?max_rows=2&max_retries=3")
        write(sink, n=[1, 2, 3])
        with pytest.raises(OutputError, match=message) as caught:
            sink.flush()
        assert (hint in caught.value.hint) if hint else caught.value.hint is None
        assert caught.value.retriable is retriable
        assert "1 were not taken" in caught.value.message
        server.behave = taken
        write(sink, n=[4])
        sink.close()
    sent = [row["n"] for rows in received(server)[-2 if retriable else -1 :] for row in rows]
    # what was taken before is not sent again; what can never be taken is given up
    assert sent == ([3, 4] if retriable else [4])


def test_a_server_that_is_not_there():
    with Adversary() as server:
        url = server.url
    sink = open_sink(url + "?max_retries=1")
    sink._clock = StillClock()
    write(sink, n=[1])
    with pytest.raises(OutputError, match=r"cannot be reached \(connection refused\) \(2 attempts"):
        sink.flush()
    sink.close()  # it has been said


def test_a_server_that_does_not_answer():
    with Adversary(lambda _: Reply(delay=30)) as server:
        sink = opened(server, "?timeout=50ms&max_retries=0")
        write(sink, n=[1])
        with pytest.raises(OutputError, match=r"gave no answer within 0\.05 s") as caught:
            sink.flush()
        assert caught.value.retriable
        server.behave = taken
        sink.flush()
        sink.close()
    assert len(server.requests) == 2


def test_a_checkpoint_is_sent_when_it_is_saved_and_again_with_the_same_keys():
    with Adversary(taken) as server:
        sink = opened(server, "?max_rows=2")
        sink.resume(None)
        write(sink, n=[1, 2])
        sink.flush()
        write(sink, n=[3])
        state = to_bytes(sink.prepare(1))
        assert server.requests == []
        sink._disconnect()  # the process died between saving and committing
        for _ in range(2):
            again = opened(server, "?max_rows=2")
            again.resume(from_bytes(state))
            again.commit(1)
            again.close()
    assert received(server) == [[{"n": 1}, {"n": 2}], [{"n": 3}]] * 2
    assert keys(server)[:2] == keys(server)[2:]
    assert len(set(keys(server))) == 2


def test_headers_and_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("SINK_KEY", "s3cret-key")
    (tmp_path / "token").write_text("s3cret-token\n")
    said = Reply(b"not with s3cret-key or s3cret-token", 400)
    options = f"?key=env:SINK_KEY&header.x-token=file:{tmp_path}/token&header.x-team=rides&query=a%3D1%26b"
    with Adversary(lambda _: said) as server:
        sink = opened(server, options)
        write(sink, n=[1])
        with pytest.raises(OutputError, match=r"not with \*\*\* or \*\*\*") as caught:
            sink.flush()
        sink.close()
    (request,) = server.requests
    assert request.path == "/score?a=1&b"
    assert request.headers["authorization"] == "Bearer s3cret-key"
    assert request.headers["x-token"] == "s3cret-token"
    assert request.headers["x-team"] == "rides"
    assert "a=1" not in caught.value.message


@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        ("http://h/x?max_row=1", "no option 'max_row'", "did you mean max_rows?"),
        ("http://h/x?max_rows=0", "max_rows takes a whole number from 1", None),
        ("http://h/x?headers=a", "no option 'headers'", "header.NAME=VALUE"),
        ("http://h/x?key=s3cret", "key takes env:NAME or file:PATH", "environment variable"),
        ("http://h/x?header.x-api-key=s3cret", "header.x-api-key takes env:NAME", "env"),
        ("http://h/x?header.content-type=a", "is set by the request itself", None),
        ("http://me:s3cret@h/x", r"http://me:\*\*\*@h/x has a password", "key=env:NAME"),
        ("http:///x", "is not the URL of a server", "e.g."),
        ("http://h:x/", "is not the URL of a server", "e.g."),
        ("http://h/x?client_key=k", "client_key is given without client_cert", "a key belongs to"),
        ("https://h/x?key=env:STREAMQL_NO_SUCH", "STREAMQL_NO_SUCH is not set", None),
    ],
)
def test_uris_that_are_refused(uri, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        open_sink(uri)
    assert (hint or "") in (caught.value.hint or "")
    assert "s3cret" not in caught.value.message + str(caught.value.hint)


def test_hosts_that_are_not_allowed():
    with pytest.raises(UsageError, match="the host 'h' is not among those"):
        open_sink("http://h/x", None, ["h:81"])
    open_sink("http://h/x", None, ["h:80"]).close()
