"""Followed files under a writer that does what it likes, read by readers that start again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from following import FOLLOWERS, Follower, append
from hypothesis import given, settings
from hypothesis import strategies as st


class Script:
    """What a writer does to a file, and what a reader must have seen of it in the end."""

    def __init__(self, folder):
        self.file = folder / "a.jsonl"
        self.file.write_bytes(b"")
        self.rotated = 0
        self.count = 0
        self.half = b""

    def write(self, whole, part):
        text = b""
        for _ in range(whole):
            self.count += 1
            text += b'{"n":%d}\n' % self.count
        if self.half:
            append(self.file, self.half)
            self.half = b""
        if part and text:
            cut = len(text) - part % 7 - 1
            text, self.half = text[:cut], text[cut:]
        append(self.file, text)

    def rotate(self):
        self.write(0, 0)
        self.rotated += 1
        self.file.rename(self.file.with_suffix(f".{self.rotated}"))
        self.file.write_bytes(b"")


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 40), st.integers(0, 20)),
            st.just(("rotate",)),
            st.just(("look",)),
            st.just(("restart",)),
        ),
        max_size=25,
    ),
    st.sampled_from([16, 1024]),
)
def test_whatever_a_writer_does_each_event_is_read_once_and_in_order(steps, block):
    with tempfile.TemporaryDirectory() as folder:
        script = Script(Path(folder))
        follower = Follower(script.file, block_bytes=block)
        found = []
        before = None
        for step in steps:
            if step == before == ("rotate",):
                continue  # a file that comes and goes between two looks is nobody's to read
            before = step if step != ("restart",) else before
            if step[0] == "write":
                script.write(*step[1:])
            elif step == ("rotate",):
                found += follower.look() + follower.look() + follower.look()
                script.rotate()
            elif step == ("look",):
                found += follower.look()
            else:
                follower.restart()
        script.write(0, 0)
        for _ in range(4):
            found += follower.look()
        follower.close()
        FOLLOWERS.remove(follower)
        assert found == [(n, {"n": n}) for n in range(1, script.count + 1)]
        assert follower.warnings == []
