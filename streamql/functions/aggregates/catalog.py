"""TEMPORARY placeholder, to be overwritten by the real catalog."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...column import Column, from_values
from ...types import Type
from ..aggregate import *


@dataclass(frozen=True)
class Count(Aggregate):
    name: str = "COUNT"
    type: Type = Type.BIGINT
    def over(self, inputs, times, ranges):
        if not inputs: return Column(Type.BIGINT, pa.array(ranges.lengths))
        c = np.append(0, np.cumsum(inputs[0].valid()))
        return Column(Type.BIGINT, pa.array(c[ranges.ends]-c[ranges.starts]))
@dataclass(frozen=True)
class Any_(Aggregate):
    name: str
    fn: str
    type: Type = Type.ANY
    def over(self, inputs, times, ranges):
        v = inputs[0].to_pylist()
        out=[]
        for s,e in zip(ranges.starts, ranges.ends):
            w=[x for x in v[s:e] if x is not None]
            f=dict(sum=sum,min=min,max=max,avg=lambda w: sum(w)/len(w))[self.fn]
            out.append(f(w) if w else None)
        return from_values(out)
AGGREGATES = {"count": AggregateSpec("COUNT", lambda s: Count(), (0,1))}
for f in ("sum","min","max","avg"):
    AGGREGATES[f]=AggregateSpec(f.upper(), lambda s, f=f: Any_(f.upper(), f))
def aggregate(spec, signature, distinct): return spec.make(signature)
