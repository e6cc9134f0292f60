"""Jobs in a world where everything goes wrong leave what they leave when nothing does."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from checkpointed import Task, at
from simulation import survive, undisturbed

SEEDS = int(os.environ.get("STREAMQL_SEEDS", "300"))
FIRST = int(os.environ.get("STREAMQL_SEED", "0"))
GROUPS = 12


def seeds(group: int) -> range:
    return range(FIRST + group, FIRST + SEEDS, GROUPS)


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_and_nothing_comes_twice(group, tmp_path):
    for seed in seeds(group):
        folder = tmp_path / str(seed)
        task, rows = survive(seed, folder)
        wanted = undisturbed_once(task)
        assert rows == wanted, f"STREAMQL_SEED={seed} STREAMQL_SEEDS=1 repeats it"
        shutil.rmtree(folder)


KNOWN: dict[str, dict] = {}


def undisturbed_once(task: Task) -> dict:
    if task.query not in KNOWN:
        KNOWN[task.query] = undisturbed(task)
    return KNOWN[task.query]


# -- money that moves -----------------------------------------------------------------------------

TRANSFERS = [
    {"from": f"a{n % 7}", "to": f"a{(n * 3 + 1) % 7}", "amount": (n * 37) % 90 + 1, "t": at(n / 3)}
    for n in range(150)
]
MOVES = (
    "WITH moves AS (SELECT [from] AS account, -amount AS delta FROM a TIMESTAMP BY t "
    "UNION SELECT [to] AS account, amount AS delta FROM a TIMESTAMP BY t) "
)
WINDOWS = (
    "TumblingWindow(second, 7)",
    "HoppingWindow(second, 9, 4)",
    "SlidingWindow(second, 5)",
    "SessionWindow(second, 3, 20)",
)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_sum_over_all_accounts_is_zero_in_every_row(window, tmp_path):
    """Money leaves one account and comes to another in one event: no row may see it in between."""
    task = Task(
        MOVES + f"SELECT SUM(delta) AS total, COUNT(*) AS n INTO o FROM moves GROUP BY {window}",
        {"a": TRANSFERS},
        {"out_of_order": "2s"},
    )
    for seed in range(FIRST, FIRST + max(3, SEEDS // 60)):
        _, rows = survive(seed, tmp_path / str(seed), [task])
        assert rows["o"]
        assert all('"total":0,' in row for row in rows["o"]), f"seed {seed}: {rows['o']}"
        assert rows == undisturbed_once(task)


def test_balances_add_up_to_zero_at_every_instant(tmp_path):
    task = Task(
        MOVES + "SELECT account, SUM(delta) AS total, System.Timestamp() AS w INTO o FROM moves "
        "GROUP BY account, TumblingWindow(second, 5)",
        {"a": TRANSFERS},
        {"out_of_order": "2s"},
    )
    _, rows = survive(FIRST + 1, tmp_path, [task])
    totals: dict[str, int] = {}
    for line in rows["o"]:
        row = json.loads(line)
        totals[row["w"]] = totals.get(row["w"], 0) + row["total"]
    assert len(totals) > 5
    assert set(totals.values()) == {0}


def test_the_world_is_the_seeds(tmp_path):
    """One seed gives one story: a failure can be looked at again."""
    first = survive(FIRST + 5, tmp_path / "one")
    second = survive(FIRST + 5, tmp_path / "two")
    assert first[0] is second[0]
    assert first[1] == second[1]
