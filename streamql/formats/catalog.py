"""The formats: which one a file has, and what reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import UsageError, suggest
from .compression import Compression, compression_named, split_suffix
from .decoded import Decoder
from .encoder import Encoder
from .json_write import JsonArrayEncoder, JsonLinesEncoder

FORMATS = {
    "json": "JSON lines; read also as an array or as concatenated records",
    "lines": "JSON lines, strictly one record per line",
    "array": "one JSON array of records",
    "csv": "comma-separated values (options delimiter, header)",
    "parquet": "Apache Parquet",
}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
_SUFFIXES = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Format:
    """How the bytes of a file are to be read or written.

    Attributes:
        name: one of `FORMATS`; None: by the file's name, else json.
        compression: None: by the file's name (and a gzip stream is noticed when read).
        delimiter: between CSV fields; None: a tab for .tsv, else a comma.
        header: the first CSV record names the columns.
        block_bytes: bytes that are read at a time.
        event_bytes: a longer event is malformed, and not held in memory.
        depth: an event of JSON nested deeper is malformed.
    """

    name: str | None = None
    compression: Compression | None = None
    delimiter: str | None = None
    header: bool = True
    block_bytes: int = 4 * 1024 * 1024
    event_bytes: int = 64 * 1024 * 1024
    depth: int = 400

    @classmethod
    def of_options(cls, options: Mapping[str, str]) -> Format:
        """Return the format that `?format=csv&delimiter=;` and the like ask for."""
        known = ("format", "compression", "delimiter", "header")
        for key in options:
            if key not in known:
                hint = suggest(key, known) or f"there are {', '.join(known)}"
                raise UsageError(f"no option {key!r}", hint=hint)
        name = options.get("format", "").lower() or None
        if name is not None and name not in FORMATS:
            hint = suggest(name, FORMATS) or f"there are {', '.join(FORMATS)}"
            raise UsageError(f"no format {options['format']!r}", hint=hint)
        compression = options.get("compression")
        delimiter = options.get("delimiter")
        return cls(
            name,
            None if compression is None else compression_named(compression),
            None if delimiter is None else delimiter_named(delimiter),
            flag_named("header", options.get("header", "true")),
        )

    def of_file(self, path: str) -> Format:
        """Return the format with what was left open settled by a file's name."""
        stem, packed = split_suffix(path)
        suffix = next((s for s in _SUFFIXES if stem.lower().endswith(s)), "")
        name = self.name or _SUFFIXES.get(suffix, "json")
        compression = packed if self.compression is None else self.compression
        if name == "parquet" and compression is not Compression.NONE:
            raise UsageError(
                f"{path}: a parquet file packed as a whole",
                hint="unpack it; parquet packs its columns itself",
            )
        return replace(
            self,
            name=name,
            compression=compression,
            delimiter=self.delimiter or ("\t" if suffix == ".tsv" else ","),
        )

    @property
    def whole_file(self) -> bool:
        """Tell whether the format needs a file that can seek (then `parquet.read_file` reads)."""
        return self.name == "parquet"

    def decoder(self, ahead: int = 0) -> Decoder:
        """Return a new decoder for one file.

        With `ahead` it may hold back that many blocks: for inputs that do not pause.
        """
        # readers and writers are imported when a job has such a file: csv alone takes 50 ms
        if self.name == "csv":
            from .csv import CsvDecoder

            return CsvDecoder(
                delimiter=self.delimiter or ",", header=self.header, event_bytes=self.event_bytes
            )
        from .json_read import JsonLinesDecoder

        layout = "lines" if self.name == "lines" else "auto"
        return JsonLinesDecoder(
            layout=layout, max_line_bytes=self.event_bytes, max_depth=self.depth, ahead=ahead
        )

    def encoder(self) -> Encoder:
        """Return a new encoder for one file."""
        match self.name:
            case "csv":
                from .csv_write import CsvEncoder

                return CsvEncoder(delimiter=self.delimiter or ",", header=self.header)
            case "parquet":
                from .parquet import ParquetEncoder

                return ParquetEncoder()
            case "array":
                return JsonArrayEncoder()
            case _:
                return JsonLinesEncoder()


def flag_named(name: str, text: str) -> bool:
    """Return the truth a user wrote."""
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise UsageError(f"option {name} is {text!r}", hint="it may be true or false")


def delimiter_named(text: str) -> str:
    r"""Return the delimiter a user named: the character, its name, or `\t`."""
    named = {name: character for character, name in DELIMITERS.items()} | {r"\t": "\t", "pipe": "|"}
    found = named.get(text.lower(), text)
    if found not in DELIMITERS:
        known = ", ".join(DELIMITERS.values())
        raise UsageError(f"no CSV delimiter {text!r}", hint=f"it may be {known}")
    return found
