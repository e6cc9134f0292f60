"""Parts that are measured alone, each by a program of its own; with fewer events they take less."""

from shapes import Part

WHOLE = 4_000_000
"""With so many events, or more, each part is measured as its goal says."""


def _share(events: int, whole: float, least: float) -> float:
    return max(least, whole * min(1.0, events / WHOLE))


PARTS = (
    Part(
        "latency",
        "one row through an idle job, and a model of 1 ms",
        "micro_latency.py",
        lambda events: (int(_share(events, 150, 20)),),
    ),
    Part(
        "onnx",
        "ONNX models in process beside a bare loop of session.run",
        "micro_onnx.py",
        lambda events: (_share(events, 5, 0.1),),
        needs=("streamql", "onnx", "onnxruntime"),
    ),
    Part(
        "javascript",
        "JavaScript functions, each way in which values travel",
        "micro_javascript.py",
        lambda events: (_share(events, 0.5, 0.01),),
        needs=("streamql",),
    ),
    Part(
        "tuner",
        "self-tuning on a server with a knee beside fixed settings",
        "micro_tuner.py",
        lambda events: ("knee", _share(events, 40, 4), _share(events, 6, 3)),
        needs=("streamql",),
    ),
    Part(
        "checkpoint",
        "what checkpoints cost, and how soon a job is back",
        "micro_checkpoint.py",
        # the runs of the first are short: their checkpoints come ten times as often as the goal
        # says; the last one makes a large process of its own
        lambda events: (
            *("share", int(_share(events, 20_000_000, 10_000))),
            *("restart", int(_share(events, 720_000, 1_000))),
            *("pause", int(_share(events, 8_000_000, 1_000))),
        ),
        needs=("streamql",),
        environment={"INTERVAL": "1s", "ROUNDS": "5"},
    ),
    Part(
        "outputs",
        "rows of ten columns into tables, with checkpoints",
        "micro_outputs.py",
        lambda events: (int(_share(events, 500_000, 50_000)),),
        needs=("streamql",),
    ),
)
