"""Certificates of a process: whom it says it is, and whose certificates it believes."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass

import grpc


class TlsMissing(Exception):
    """The process must not start like this: certificates or roles are missing; says which."""


@dataclass(frozen=True, slots=True)
class Tls:
    """One certificate with its key, and who may issue others; all PEM."""

    certificate: bytes
    key: bytes
    ca: bytes

    def server(self) -> grpc.ServerCredentials:
        """Return credentials of a server that talks only to holders of a certificate."""
        pairs = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(pairs, self.ca, require_client_auth=True)

    def client(self) -> grpc.ChannelCredentials:
        """Return credentials of a caller, who checks the server too."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def context(self) -> ssl.SSLContext:
        """Return the same for connections that are not gRPC, such as NATS."""
        context = ssl.create_default_context(cadata=self.ca.decode())
        with tempfile.NamedTemporaryFile() as pair:
            # The ssl module reads files only; this one is readable by us alone, and gone at once.
            pair.write(self.certificate + b"\n" + self.key)
            pair.flush()
            context.load_cert_chain(pair.name)
        return context


PLAIN = Tls(b"", b"", b"")
"""No certificates: the development profile. Whoever reaches the port may everything."""
