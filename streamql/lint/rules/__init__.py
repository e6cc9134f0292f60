"""The rules about what is legal and probably wrong, one a file; `RULES` lists them."""

from .arrival_time import window_over_arrival
from .like import like_without_wildcard
from .mixed_types import text_and_number
from .null_comparison import compare_with_null
from .null_score import null_into_score
from .outer_join import outer_join_made_inner
from .output_columns import output_columns_differ
from .unknown_input import unknown_input
from .unused_step import unused_step
from .volatile_call import volatile_with_checkpoints

RULES = (
    window_over_arrival,
    null_into_score,
    volatile_with_checkpoints,
    unused_step,
    output_columns_differ,
    compare_with_null,
    text_and_number,
    like_without_wildcard,
    outer_join_made_inner,
    unknown_input,
)
