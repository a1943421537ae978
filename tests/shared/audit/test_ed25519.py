"""Signatures checked with integers alone: the published vectors, and a library's opinion."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audit import checkpoints, ed25519

# RFC 8032, 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_published_signatures_are_right(public: str, message: str, signature: str) -> None:
    """The vectors of RFC 8032."""
    key, text, signed = (bytes.fromhex(part) for part in (public, message, signature))

    assert ed25519.verified(key, text, signed)
    assert not ed25519.verified(key, text + b"x", signed)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
def test_a_library_has_the_same_opinion(secret: bytes, message: bytes, bit: int) -> None:
    """Any key and message; any one bit of the signature turned: both say the same."""
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public, signed = key.public_key().public_bytes_raw(), key.sign(message)
    turned = (int.from_bytes(signed) ^ 1 << bit).to_bytes(64)

    assert ed25519.verified(public, message, signed)
    assert ed25519.verified(public, message, turned) is False
    assert checkpoints.verified(public, message, turned) is False


def test_a_signature_has_one_form() -> None:
    """The scalar plus the group's order would be right too, and is refused."""
    key, message, signature = (bytes.fromhex(part) for part in VECTORS[1])
    scalar = int.from_bytes(signature[32:], "little") + ed25519.ORDER
    other = signature[:32] + scalar.to_bytes(32, "little")

    assert not ed25519.verified(key, message, other)
