"""
Make an authority and its certificates: `python -m deploy.security.certificates --help`.

For a company without a certificate authority of its own, and for tests. The URI SAN of each
certificate says who its holder is: spiffe://<trust domain>/service/ledger, …/person/li.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED = timedelta(minutes=5)
IDENTITY = re.compile(r"(service|person)/[A-Za-z0-9._-]{1,60}")
app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
Folder = Annotated[Path, typer.Argument(file_okay=False, help="Where the files are.")]


@app.command()
def authority(
    folder: Folder,
    trust_domain: Annotated[str, typer.Option(help="As in the role file.")] = "duebook.example",
    days: Annotated[int, typer.Option(help="For how long it is good.")] = 3650,
) -> None:
    """Make an authority: ca.pem for everybody, ca-key.pem for nobody's disk but yours."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, trust_domain)])
    builder = _builder(name, name, key, days).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    uses = _usage(signs_certificates=True)
    _write(folder, "ca", key, builder.add_extension(uses, critical=True).sign(key, SHA256()))


@app.command()
def issue(
    folder: Folder,
    identity: Annotated[str, typer.Argument(help="service/<name> or person/<name>.")],
    host: Annotated[
        list[str] | None, typer.Option(help="Names and addresses under which a server is reached.")
    ] = None,
    days: Annotated[int, typer.Option(help="For how long it is good.")] = 90,
) -> None:
    """Issue a certificate: <service|person>-<name>.pem and …-key.pem."""
    if not IDENTITY.fullmatch(identity):
        raise typer.BadParameter(f"{identity} is not service/<name> or person/<name>")
    ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    ca_key = load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    domain = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"spiffe://{domain!s}/{identity}")
    ]
    names += [_host(text) for text in host or ()]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity)])
    both = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if host else [])]
    builder = (
        _builder(subject, ca.subject, key, days)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    _write(folder, identity.replace("/", "-"), key, builder.sign(ca_key, SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(
    folder: Path, name: str, key: ec.EllipticCurvePrivateKey, found: x509.Certificate
) -> None:
    """Write a certificate and its key; the key is never there for others to read."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    target = folder / f"{name}-key.pem"
    target.unlink(missing_ok=True)
    with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secret)
    (folder / f"{name}.pem").write_bytes(found.public_bytes(Encoding.PEM))


if __name__ == "__main__":
    app()
