"""An Azure ML entry script with a DataFrame signature: a text for each ride."""

import numpy as np
import pandas as pd
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema

RIDE = pd.DataFrame({"vendor": [1], "weekday": ["Mon"], "distance": [1.5]})


def init():
    pass


@input_schema("rides", PandasParameterType(RIDE))
@output_schema(NumpyParameterType(np.array(["Mon 1"])))
def run(rides):
    return (rides["weekday"] + " " + rides["vendor"].astype(str)).tolist()
