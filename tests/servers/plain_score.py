"""An Azure ML entry script without decorators: it gets the body, its swagger says nothing."""

import json


def init():
    pass


def run(data):
    return [sum(row) for row in json.loads(data)["data"]]
