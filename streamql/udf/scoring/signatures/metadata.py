"""Signatures from the model metadata of the open inference protocol (KServe V2)."""

from __future__ import annotations

from ..signature import Signature
from ..tensors import Tensor, schema_of

_MOST = 10_000


def of_metadata(document: object, source: str) -> Signature | None:
    """Return the signature in `GET /v2/models/M`, None when the document is something else."""
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        return None
    if not {"inputs", "outputs", "platform", "versions"} & document.keys():
        return None
    inputs, outputs = tensors(document.get("inputs")), tensors(document.get("outputs"))
    settings = {"model": document["name"]} | ({"inputs": inputs} if inputs else {})
    note = "" if inputs or outputs else "it names neither inputs nor outputs"
    return Signature(source, schema_of(inputs), schema_of(outputs), settings, None, note)


def tensors(listed: object) -> tuple[Tensor, ...]:
    """Return the tensors of a list in metadata; none when one of them makes no sense."""
    found = []
    for one in listed[:_MOST] if isinstance(listed, list) else ():
        known = one if isinstance(one, dict) else {}
        name, datatype, shape = known.get("name"), known.get("datatype"), known.get("shape")
        if not isinstance(name, str) or not isinstance(datatype, str):
            return ()
        if not isinstance(shape, list) or not all(type(length) is int for length in shape):
            return ()
        found.append(Tensor(name, datatype.removeprefix("TYPE_"), tuple(shape)))
    return tuple(found)
