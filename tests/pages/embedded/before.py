"""What the program of the page is given."""

rows_or_arrow_or_iterator = [{"a": 1, "b": 2.5, "pickup_time": "2024-03-04T08:00:00Z"}]
