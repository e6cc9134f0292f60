"""Train the sample's model: the fare of a trip from its five text fields.

    python train.py [FILE]             (needs scikit-learn; FILE is model.joblib by default)

Takes about two seconds and gives the same model on every run of one scikit-learn version.
"""

import sys
from pathlib import Path

import joblib
from generate import trips
from score import features
from sklearn.ensemble import GradientBoostingRegressor

TRIPS = 12_000
SEED = 7


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("model.joblib")
    known = list(trips(TRIPS, SEED))
    inputs = [features(event) for event, _ in known]
    fares = [fare for _, fare in known]
    model = GradientBoostingRegressor(n_estimators=100, max_depth=4, subsample=0.5, random_state=1)
    model.fit(inputs, fares)
    # written beside and renamed: a run that is cut short leaves no half model
    draft = target.with_name(target.name + ".draft")
    joblib.dump(model, draft, compress=3)
    draft.replace(target)


if __name__ == "__main__":
    main()
