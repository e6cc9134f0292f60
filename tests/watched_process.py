"""A `streamql run` in a process of its own that is looked at over HTTP while it runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0


def environment(**variables):
    """Return the environment of a process: this one's, without settings of StreamQL."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("STREAMQL_", "OTEL_"))}
    return {**own, "PYTHONPATH": str(ROOT), **variables}


class Watched:
    """Runs with `--metrics 0`; standard input is open until `finish`."""

    def __init__(self, folder, *arguments, **variables):
        command = [sys.executable, "-m", "streamql", "run", *arguments, "--metrics", "0"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(**variables),
        )
        told = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", told)
        assert found, told + self.process.stderr.read()
        self.url = found[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, *events):
        for event in events:
            self.process.stdin.write(event if isinstance(event, str) else json.dumps(event) + "\n")
        self.process.stdin.flush()

    def get(self, path):
        """Return the status, the content type and the body."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def samples(self):
        """Return the values of all samples by name and labels, as a parser reads them."""
        text = self.get("/metrics")[2]
        return {
            (s.name, *s.labels.values()): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
        }

    def until(self, holds):
        """Return the samples for which `holds` is true; they must come in time."""
        end = time.monotonic() + PATIENCE
        while True:
            samples = self.samples()
            if holds(samples):
                return samples
            assert time.monotonic() < end, samples
            time.sleep(0.05)

    def finish(self):
        """Close standard input and return the exit code, standard output and error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err
