"""Scoring functions: models behind HTTP and entry scripts in this process.

`factory.scoring_function` makes the function object. A row's way: `http_scorer` (or `script`)
queues and cuts batches, `exchange` sends one batch with its retries and halves,
`client` is one POST, `protocols/` builds bodies and reads answers, `ticket` gives the results back
in order. `recording` keeps what was answered, `replay` answers from it; `profiler` measures a
model.
"""

from .factory import model_function, scoring_function
from .function import ModelFunction, ScoringFunction
from .hosts import refuse_host
from .loop import ScoringLoop
from .scorer import Scorer
from .settings import OnError, Policy, ScoringSettings
from .stats import ScoringStats
from .ticket import Ticket

__all__ = [
    "ModelFunction",
    "OnError",
    "Policy",
    "Scorer",
    "ScoringFunction",
    "ScoringLoop",
    "ScoringSettings",
    "ScoringStats",
    "Ticket",
    "model_function",
    "refuse_host",
    "scoring_function",
]
