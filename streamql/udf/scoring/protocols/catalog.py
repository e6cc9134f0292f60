"""The one list of protocols."""

from __future__ import annotations

from ....errors import nearest
from .azureml import AzureML
from .azureml_designer import AzureMLDesigner
from .protocol import Protocol

PROTOCOLS: tuple[type[Protocol], ...] = (AzureML, AzureMLDesigner)


def protocol_named(name: str) -> type[Protocol]:
    """Return the protocol of this name; ValueError (with what there is) for another."""
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name not in known:
        near = nearest(name, known)
        raise ValueError(" or ".join(known) + (f" (did you mean {near}?)" if near else ""))
    return known[name]
