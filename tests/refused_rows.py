"""Jobs of which the place of the output refuses some rows, and what they must leave."""

from __future__ import annotations

import json
import re

from checkpointed import Run, Task

QUERY = "SELECT id, v, name INTO o FROM a"
COLUMNS = "id bigint, v bigint, name text"


def event(number):
    return {"id": number, "v": number % 40, "name": f"a\t\\{number}\n"}


EVENTS = [event(number) for number in range(200)]
TASK = Task(QUERY, {"a": EVENTS}, {"output_errors": "drop"})


def odd(row):
    return row["v"] in (3, 17, 18)


class Into(Run):
    """A job whose output is a table or a server."""

    def __init__(self, uri, task, folder, **options):
        self.uri = uri
        super().__init__(task, folder, **options)
        self.dead = folder / "dead.jsonl"

    def outputs(self):
        return {"o": self.uri}

    def run(self, **flags):
        given = {"dead_letters": str(self.dead), **flags.pop("settings", {})}
        return super().run(settings=given, **flags)

    def letters(self):
        """Return the event, reason and row of each dead letter."""
        if not self.dead.exists():
            return []
        found = [json.loads(line) for line in self.dead.read_text().splitlines()]
        assert all(letter["kind"] == "output" and letter["output"] == "o" for letter in found)
        return [(n["event"], n["reason"], json.loads(n["text"])) for n in found]


def verify(run, summary, stored, bad, said):
    """Compare what is stored and what was given up with all events."""
    good = [(e["id"], e["v"], e["name"]) for e in EVENTS if not bad(e)]
    assert [tuple(row) for row in stored] == good
    letters = run.letters()
    wrong = [(n + 1, e) for n, e in enumerate(EVENTS) if bad(e)]
    # what a column of a type of the database's own holds is text here
    assert [(number, {**row, "v": int(row["v"])}) for number, _, row in letters] == wrong
    for _, reason, _ in letters:
        assert re.search(said, reason)
        assert "not stored" not in reason
    account = summary.outputs["o"]
    assert (account.rows, account.written, account.dropped, account.missing) == (
        len(EVENTS), len(good), len(wrong), 0
    )  # fmt: skip
    assert summary.rows == {"o": len(EVENTS)}
