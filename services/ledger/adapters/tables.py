"""The tables of the read models; all of them can be built again from the log."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
BIG_KEY = BigInteger().with_variant(Integer, "sqlite")
"""A number that SQLite keeps as the place of the row itself."""

LOAN_SUMMARY = Table(
    "loan_summary",
    METADATA,
    Column("loan_id", String(40), primary_key=True),
    Column("borrower_ref", String(64), nullable=False),
    Column("product", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(20), nullable=False),
    Column("principal_outstanding_minor", BigInteger, nullable=False),
    Column("oldest_due_on", Date, index=True),
    Column("arrears_minor", BigInteger, nullable=False),
    Column("bucket", String(20), nullable=False),
    Column("next_transition_on", Date, index=True),
    Column("version", BigInteger, nullable=False),
    Column("changed_at_us", BigInteger, nullable=False, index=True),
    Column("posting_policy", String(20), nullable=False, index=True),
)

INSTALMENTS = Table(
    "instalments",
    METADATA,
    Column("loan_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("due_on", Date, nullable=False),
    Column("principal_due_minor", BigInteger, nullable=False),
    Column("interest_due_minor", BigInteger, nullable=False),
    Column("principal_paid_minor", BigInteger, nullable=False),
    Column("interest_paid_minor", BigInteger, nullable=False),
    Column("paid_on", Date),
)

JOURNAL_LINES = Table(
    "journal_lines",
    METADATA,
    Column("position", BigInteger, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("loan_id", String(40), nullable=False, index=True),
    Column("effective_on", Date, nullable=False, index=True),
    Column("account", String(60), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
)

POSITIONS = Table(
    "positions",
    METADATA,
    Column("follower", String(40), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

MESSAGE_SEQUENCES = Table(
    "message_sequences",
    METADATA,
    Column("loan_id", String(40), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("state_sequence", BigInteger, nullable=False),
)

SEALED_NODES = Table(
    "sealed_nodes",
    METADATA,
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

SEALED_LEAVES = Table(
    "sealed_leaves",
    METADATA,
    Column("number", BIG_KEY, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("originator_id", String(80), nullable=False),
    Column("version", BigInteger, nullable=False),
    UniqueConstraint("originator_id", "version"),
)

CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("sealed_at_us", BigInteger, nullable=False),
)

COSIGNATURES = Table(
    "cosignatures",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(200), primary_key=True),
    Column("line", Text, nullable=False),
)


class Followed(NamedTuple):
    """The tables that follow from the log's facts."""

    loan_summary: Table
    instalments: Table
    journal_lines: Table


LIVE = Followed(LOAN_SUMMARY, INSTALMENTS, JOURNAL_LINES)


def beside(number: int) -> Followed:
    """Return tables like the live ones under names of their own, one set per number."""
    metadata = MetaData()
    return Followed(*(t.to_metadata(metadata, name=f"{t.name}_{number}") for t in LIVE))
