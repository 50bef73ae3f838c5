"""chains are found by columns, and count against the caps of whatever scopes they belong to"""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KINDS: Final = ("thread", "user", "repository")
_CAPS: Final = (
    ("thread", "ever", "thread"),
    ("user_day", "day", "user"),
    ("repository_month", "month", "repository"),
)
_TEXTS: Final = ("verb", "head", "workflow", "requester")
_AT_ONCE: Final = 500


def upgrade() -> None:
    op.create_table(
        "chain_scopes",
        sa.Column("chain_id", sa.String(64), sa.ForeignKey("chains.id"), primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(128), nullable=False),
    )
    op.create_index("ix_chain_scopes_key", "chain_scopes", ["kind", "key"])
    for name in _TEXTS:
        op.add_column("chains", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("chains", sa.Column("account", sa.JSON(), nullable=False, server_default="{}"))
    _fill()
    for kind in _KINDS:
        op.drop_index(f"ix_chains_account_{kind}", table_name="chains")
    for kind in _KINDS:
        op.drop_column("chains", f"account_{kind}")


def _fill() -> None:
    """Give every chain that is there already its scopes and columns, so that what it has cost goes on counting."""
    tx = op.get_bind()
    columns: list[sa.ColumnClause[Any]] = [sa.column(f"account_{kind}") for kind in _KINDS]
    old = sa.table(
        "chains", sa.column("id"), sa.column("plan", sa.Text), sa.column("caps", sa.Text), *columns
    )
    new = sa.table(
        "chains",
        sa.column("id"),
        *(sa.column(name) for name in _TEXTS),
        sa.column("account", sa.JSON),
        sa.column("caps", sa.JSON),
    )
    scopes = sa.table("chain_scopes", *(sa.column(name) for name in ("chain_id", "kind", "key")))
    # As text, and read here: PostgreSQL cannot take apart what earlier versions stored with a NUL in it.
    asked = sa.select(
        old.c.id,
        sa.cast(old.c.plan, sa.Text).label("plan"),
        sa.cast(old.c.caps, sa.Text).label("caps"),
        *columns,
    )
    change = new.update().where(new.c.id == sa.bindparam("of_id"))
    last = ""
    while rows := tx.execute(asked.where(old.c.id > last).order_by(old.c.id).limit(_AT_ONCE)).all():
        last = rows[-1].id
        accounts = {row.id: _account(row) for row in rows}
        for row in rows:
            labels, caps = _labels(json.loads(row.plan)), _caps(json.loads(row.caps))
            tx.execute(
                change.values(**labels, account=accounts[row.id], caps=caps), {"of_id": row.id}
            )
        own = [
            {"chain_id": id_, "kind": kind, "key": key}
            for id_, account in accounts.items()
            for kind, key in account.items()
        ]
        if own:
            tx.execute(scopes.insert(), own)


def _account(row: Any) -> dict[str, str]:
    named = {kind: str(getattr(row, f"account_{kind}") or "") for kind in _KINDS}
    return {kind: key for kind, key in named.items() if key}


def _labels(plan: Any) -> dict[str, str]:
    context = plan.get("context") or {}
    requester = context.get("requester")
    login = requester.get("login") if isinstance(requester, dict) else ""
    found = {
        "verb": plan.get("verb"),
        "head": context.get("head"),
        "workflow": context.get("workflow"),
    }
    return {
        name: str(value or "").replace("\0", "")
        for name, value in {**found, "requester": login}.items()
    }


def _caps(caps: Any) -> dict[str, Any]:
    wider = [
        {"scope": scope, "window": window, "limit": caps[name]}
        for name, window, scope in _CAPS
        if caps.get(name) is not None
    ]
    kept = {name: value for name, value in caps.items() if name not in {old for old, _, _ in _CAPS}}
    return {**kept, "wider": wider} if kept else {}
