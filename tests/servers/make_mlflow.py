"""Saves two MLflow models to the folders frame and matrix of the folder given: fare = 2a + 3b."""

import sys
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 5.0]})
fares = np.array([8.0, 7.0, 21.0])
for name, rows in (("frame", frame), ("matrix", frame.to_numpy())):
    model = LinearRegression().fit(rows, fares)
    mlflow.sklearn.save_model(
        model, str(Path(sys.argv[1]) / name), signature=infer_signature(rows, fares)
    )
