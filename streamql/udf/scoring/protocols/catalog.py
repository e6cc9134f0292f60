"""The one list of protocols."""

from __future__ import annotations

from ....errors import nearest
from ..options import Reader, readers
from .auto import Auto
from .azureml import AzureML
from .azureml_designer import AzureMLDesigner
from .kserve_v1 import KServeV1, TensorFlow
from .kserve_v2 import KServeV2
from .mlflow import MLflow
from .openai_embeddings import OpenAIEmbeddings
from .protocol import Protocol

PROTOCOLS: tuple[type[Protocol], ...] = (
    AzureML,
    AzureMLDesigner,
    KServeV2,
    KServeV1,
    TensorFlow,
    OpenAIEmbeddings,
    MLflow,
)
"""In the order in which `auto` looks for them: the ones that describe themselves best first."""


def protocol_named(name: str) -> type[Protocol]:
    """Return the protocol of this name; ValueError (with what there is) for another."""
    every: tuple[type[Protocol], ...] = (*PROTOCOLS, Auto)
    known = {protocol.name: protocol for protocol in every}
    if name not in known:
        near = nearest(name, known)
        raise ValueError(" or ".join(known) + (f" (did you mean {near}?)" if near else ""))
    return known[name]


def settings_of(protocol: type[Protocol]) -> dict[str, Reader]:
    """Return the readers of a protocol's settings; with `auto`, those of all protocols."""
    if protocol is not Auto:
        return readers(protocol)
    return {name: read for one in PROTOCOLS for name, read in readers(one).items()}
