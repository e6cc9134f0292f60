"""Ends well when a job at a port is healthy and has put out its rows."""

import sys
import urllib.request

URL = f"http://127.0.0.1:{sys.argv[1]}"


def page(name):
    """Return a page of the job."""
    with urllib.request.urlopen(URL + name) as answer:
        return answer.read().decode()


assert '"running"' in page("/healthz")
assert page("/readyz")
assert 'streamql_output_events_total{output="o"} 2.0' in page("/metrics")
