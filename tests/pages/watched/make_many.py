"""Prints events with more keys than a job with little memory may hold."""

for number in range(300_000):
    print(f'{{"at":"2024-03-04T08:00:00Z","plate":"AB {number}"}}')  # noqa: T201
