"""How DuckDB reads the files of the benchmarks."""

TEXT = ("vendorid", "weekday", "pickuphour", "passenger", "distance", "card")
NUMBERS = {"fare": "DOUBLE", "zone": "BIGINT", "tip": "DOUBLE"}
RIDES = dict.fromkeys(TEXT, "VARCHAR") | {"pickup_time": "TIMESTAMP"} | NUMBERS
PAYMENTS = {
    "payment_id": "BIGINT",
    "pay_time": "TIMESTAMP",
    "card": "VARCHAR",
    "zone": "BIGINT",
    "amount": "DOUBLE",
}


def lines(file: str, columns: dict[str, str]) -> str:
    """Return the table function that reads a file of JSON lines."""
    return f"read_json('{file}', format = 'newline_delimited', columns = {columns})"
