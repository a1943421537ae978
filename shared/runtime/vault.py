"""Personal data in records: sealed under a key per person, unreadable once it is destroyed."""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.kernel.errors import Refused

METADATA = MetaData()
KEYS = Table(
    "personal_keys",
    METADATA,
    Column("subject", String(80), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("shredded_at", String(40), nullable=False, server_default=""),
    Column("reason", String(200), nullable=False, server_default=""),
)
"""One key per person, wrapped by the vault's own; empty once it is destroyed."""

SHREDDED = "shredded"
"""What is read instead of personal data whose key was destroyed."""

MARK = "sealed/1/"
NONCE_BYTES, KEY_BYTES = 12, 32
WIPE_TRIES_MAX, WIPE_PAUSE_SECONDS = 50, 0.1
Keys = dict[str, AESGCM | None]


class VaultKeyMissing(Exception):
    """There is no key to seal personal data with, or it is not one; says which file."""


class VaultKeyWrong(Exception):
    """Something sealed cannot be opened: another vault key, or it was altered."""


class AnswerShredded(Refused):
    """The request was answered, and whom the answer is about was shredded since."""


class Personal(msgspec.Struct, frozen=True):
    """
    Which fields of a record are personal.

    `paths` are dotted, lists are passed through; `subject` is the field that names the person, of
    the record or of the part that holds the field; `otherwise` the field whose value stands for a
    person who is not known yet.
    """

    subject: str
    paths: frozenset[str]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals the personal fields of records by kind, each under its person's key."""

    key: AESGCM
    personal: Mapping[type[msgspec.Struct], Personal]

    async def sealed(self, connection: AsyncConnection, record: msgspec.Struct) -> bytes:
        """Return a record as it is stored; what was shredded is not sealed again."""
        rule = self.personal.get(type(record))
        if rule is None:
            return msgspec.json.encode(record)
        tree = msgspec.to_builtins(record)
        subjects: set[str] = set()

        def look(who: str, text: str) -> str:
            subjects.add(who)
            return text

        _each(tree, rule, look)
        keys = await self._keys(connection, subjects)
        for who in sorted(subjects - keys.keys()):
            keys[who] = await self._new_key(connection, who)

        def seal(who: str, text: str) -> str:
            key = keys[who]
            if key is None:
                return SHREDDED
            return _sealed(key, text.encode(), who)

        _each(tree, rule, seal)
        return msgspec.json.encode(tree)

    async def opened(
        self, connection: AsyncConnection, kind: type[Any], bodies: Iterable[bytes]
    ) -> list[Any]:
        """
        Return stored records as they were, with SHREDDED in place of what nobody can read now.

        Raises:
            VaultKeyWrong: something is not as it was sealed.
        """
        rule = self.personal.get(kind)
        if rule is None:
            return [msgspec.json.decode(body, type=kind) for body in bodies]
        trees = [msgspec.json.decode(body) for body in bodies]
        subjects: set[str] = set()

        def look(who: str, text: str) -> str:
            if text.startswith(MARK):
                subjects.add(_of_whom(text)[0])
            return text

        for tree in trees:
            _each(tree, rule, look)
        keys = await self._keys(connection, subjects)
        for tree in trees:
            _each(tree, rule, lambda who, text: _open(keys, text))
        return [msgspec.convert(tree, type=kind) for tree in trees]

    async def sealed_answer(self, connection: AsyncConnection, who: str, body: bytes) -> bytes:
        """Return an answer about a person as it is kept; of one who was shredded, nothing."""
        keys = await self._keys(connection, {who})
        key = keys[who] if who in keys else await self._new_key(connection, who)
        if key is None:
            return f"{MARK}{who}/".encode()
        return _sealed(key, body, who).encode()

    async def opened_answer(self, connection: AsyncConnection, kept: bytes) -> bytes:
        """Return what `sealed_answer` kept; raise AnswerShredded when nobody can read it."""
        if not kept.startswith(MARK.encode()):
            return kept
        who, sealed = _of_whom(kept.decode())
        key = (await self._keys(connection, {who})).get(who)
        if key is None or not sealed:
            said = "whom the answer is about was shredded"
            raise AnswerShredded(said, field="request_id")
        return _decrypted(key, urlsafe_b64decode(sealed), who)

    async def shred(self, connection: AsyncConnection, who: str, reason: str, at: datetime) -> bool:
        """Destroy a person's key; False if there is none. Their data is unreadable from then on."""
        if connection.dialect.name == "sqlite":
            # Freed bytes are overwritten, not left in the file for who looks there.
            await connection.exec_driver_sql("PRAGMA secure_delete = ON")
        gone = {"wrapped": b"", "shredded_at": at.isoformat(), "reason": reason}
        here = (KEYS.c.subject == who) & (KEYS.c.shredded_at == "")
        done = await connection.execute(update(KEYS).where(here).values(gone))
        return bool(done.rowcount)

    async def shredded(self, connection: AsyncConnection, subjects: set[str]) -> set[str]:
        """Return those whose key was destroyed: nothing more can be kept of them."""
        keys = await self._keys(connection, subjects)
        return {who for who, key in keys.items() if key is None}

    async def _keys(self, connection: AsyncConnection, subjects: set[str]) -> Keys:
        """Return the keys there are; None for one that was destroyed. Nothing is kept in memory."""
        query = select(KEYS.c.subject, KEYS.c.wrapped).where(KEYS.c.subject.in_(sorted(subjects)))
        rows = (await connection.execute(query)).all() if subjects else []
        return {who: self._unwrapped(who, wrapped) if wrapped else None for who, wrapped in rows}

    async def _new_key(self, connection: AsyncConnection, who: str) -> AESGCM | None:
        """Make a person's key, unless another transaction was first."""
        secret = os.urandom(KEY_BYTES)
        wrapped = _encrypted(self.key, secret, who)
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = insert(KEYS).values(subject=who, wrapped=wrapped)
        await connection.execute(row.on_conflict_do_nothing(index_elements=[KEYS.c.subject]))
        return (await self._keys(connection, {who}))[who]

    def _unwrapped(self, who: str, wrapped: bytes) -> AESGCM:
        return AESGCM(_decrypted(self.key, wrapped, who))


async def wipe(engine: AsyncEngine) -> None:
    """Have the store let go of the bytes that destroyed keys were: dead rows, SQLite's log."""
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with alone.connect() as connection:
        if connection.dialect.name != "sqlite":
            # A plain VACUUM frees the row and leaves its bytes; this writes the table anew.
            await connection.exec_driver_sql("VACUUM FULL personal_keys")
            return
        for _ in range(WIPE_TRIES_MAX):
            done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            if not done.scalar():
                return
            await asyncio.sleep(WIPE_PAUSE_SECONDS)  # somebody reads: their page is in the log
        structlog.get_logger().warning("the log still holds a destroyed key until it is emptied")


def open_vault(file: Path, personal: Mapping[type[msgspec.Struct], Personal]) -> Vault:
    """
    Open a vault with the key in a file: 32 random bytes as base64 (`openssl rand -base64 32`).

    Raises:
        VaultKeyMissing: the file is not there, or holds something else.
    """
    try:
        key = b64decode(file.read_text("ascii").strip(), validate=True)
    except (OSError, NotBase64, UnicodeDecodeError) as failure:
        raise VaultKeyMissing(f"{file}: {failure}") from None
    if len(key) != KEY_BYTES:
        raise VaultKeyMissing(f"{file} has {len(key)} bytes; openssl rand -base64 32 makes one")
    return Vault(AESGCM(key), personal)


def _open(keys: Keys, text: str) -> str:
    """Return what was sealed; a value from before there was a vault is as it is."""
    if not text.startswith(MARK):
        return text
    who, sealed = _of_whom(text)
    key = keys.get(who)
    return SHREDDED if key is None else _decrypted(key, urlsafe_b64decode(sealed), who).decode()


def _of_whom(text: str) -> tuple[str, str]:
    """Return whose something sealed is, and what; a name may hold slashes, base64 does not."""
    who, _, sealed = text.removeprefix(MARK).rpartition("/")
    return who, sealed


def _sealed(key: AESGCM, plain: bytes, who: str) -> str:
    """Return something as it is stored, marked with whose it is; `_of_whom` reads it."""
    return f"{MARK}{who}/{urlsafe_b64encode(_encrypted(key, plain, who)).decode()}"


def _encrypted(key: AESGCM, plain: bytes, who: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, who.encode())


def _decrypted(key: AESGCM, sealed: bytes, who: str) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], who.encode())
    except InvalidTag:
        raise VaultKeyWrong(f"what is sealed for {who} does not open") from None


def _each(tree: Any, rule: Personal, change: Callable[[str, str], str]) -> None:
    """Put what `change` makes of person and text in the place of every personal text, if any."""

    def walk(node: Any, path: str, who: str) -> None:
        if isinstance(node, list | tuple):
            for one in node:
                walk(one, path, who)
        if not isinstance(node, dict):
            return
        who = node.get(rule.subject) or who
        for name, value in node.items():
            here = f"{path}.{name}" if path else name
            if here not in rule.paths:
                walk(value, here, who)
            elif isinstance(value, dict):
                # A path that leads to a map means all its texts.
                node[name] = {k: change(who, v) if v else v for k, v in value.items()}
            elif isinstance(value, str) and value:
                node[name] = change(who, value)

    walk(tree, "", tree[rule.otherwise])
