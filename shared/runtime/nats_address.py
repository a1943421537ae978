"""Where NATS is, and with whose certificate it is called: all in one address."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from shared.runtime.tls import Tls, TlsMissing

FILES = ("cert", "key", "ca")


def nats_address(url: str) -> tuple[list[str], ssl.SSLContext | None]:
    """
    Return the servers of an address, and how to prove who calls; None where it is plain.

    Args:
        url: nats://host:port, or tls://host:port?ca=file&cert=file&key=file; of several servers of
            a cluster, all with TLS or none, separated by commas; the files of the first count.
    Raises:
        TlsMissing: a file is not named or not there, or some of the servers are without TLS.
    """
    parts = [urlsplit(one.strip()) for one in url.split(",")]
    servers = [urlunsplit((p.scheme, p.netloc, p.path, "", "")) for p in parts]
    plain = [server for server in servers if not server.startswith("tls://")]
    if len(plain) == len(servers):
        return servers, None
    if plain:
        raise TlsMissing(f"{plain[0]} is without TLS, and other servers of its cluster are not")
    named = parse_qs(parts[0].query)
    files = {name: Path(named[name][0]) for name in FILES if name in named}
    for name in FILES:
        if name not in files or not files[name].is_file():
            raise TlsMissing(f"{servers[0]} needs ?{name}=file: {files.get(name, 'not set')}")
    return servers, Tls(*(files[name].read_bytes() for name in FILES)).context()
