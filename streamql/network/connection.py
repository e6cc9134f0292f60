"""Connections over HTTP: their TLS, and in words what broke them."""

from __future__ import annotations

import os
import ssl

from ..errors import UsageError


def tls_context(
    ca_file: str | None = None, client_cert: str | None = None, client_key: str | None = None
) -> ssl.SSLContext:
    """Return a TLS context. Raises UsageError for a certificate that cannot be loaded."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        lacks = isinstance(error, ssl.SSLError)
        said = "it holds none" if lacks else (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read the certificates of {ca_file}: {said}") from None
    if ca_file is None:
        # some Pythons come without the system's authorities
        import certifi  # noqa: PLC0415 - it is needed for https only

        context.load_verify_locations(certifi.where())
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"cannot load the client certificate: {error}") from None
    return context


def what_broke(error: Exception) -> tuple[str, bool]:
    """Return what happened to a connection, and whether its certificate is to blame.

    The text is the end of a sentence that starts with the URL; the reason is that of the innermost
    exception.
    """
    reason: BaseException = error
    while (inner := reason.__cause__ or reason.__context__) is not None:
        reason = inner
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {reason.verify_message}", True
        if isinstance(reason, BaseExceptionGroup):  # one per address of the host
            reason = reason.exceptions[0]
    # an error's own text has the whole URL in it, where there is a message without
    said = getattr(error, "message", "") or str(error) or type(error).__name__
    said = str(said).partition("\n")[0].rstrip(":")
    if isinstance(reason, OSError) and reason.errno:
        # asyncio says "connect call failed" and an address; the system says why
        positive = reason.errno > 0
        said = os.strerror(reason.errno) if positive else str(reason.strerror)
    said = said[:1].lower() + said[1:]
    connect = type(error).__name__.startswith(("ClientConnector", "ClientProxy", "ClientHttpP"))
    verb = "cannot be reached" if connect else "broke the connection"
    return f"{verb} ({said})", False
