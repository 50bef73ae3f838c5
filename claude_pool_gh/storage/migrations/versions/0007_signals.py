"""PostgreSQL tells who listens which chains have moved, and that something is to be written to GitHub"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# A trigger, so that no statement that moves a chain can forget to tell, in this version or in one that runs beside it.
# Told in words that are equal for all new chains of a transaction: PostgreSQL sends such a notice once.
_TELL = """
CREATE FUNCTION claude_pool_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('claude_pool', json_build_object(
        'pool', NEW.pool, 'queued', NEW.state = 'queued',
        'chain', CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE NEW.id END)::text);
    RETURN NULL;
END $$
"""
_NEW = "CREATE TRIGGER claude_pool_new AFTER INSERT ON chains FOR EACH ROW EXECUTE FUNCTION claude_pool_tell()"
_CHANGED = """
CREATE TRIGGER claude_pool_changed AFTER UPDATE OF state, cancel_requested, generation, owner ON chains FOR EACH ROW
WHEN ((OLD.state IS DISTINCT FROM NEW.state AND NEW.state <> 'running')
      OR (NOT OLD.cancel_requested AND NEW.cancel_requested)
      OR (OLD.owner IS NOT NULL AND OLD.generation <> NEW.generation)
      OR (OLD.owner IS NOT NULL AND NEW.owner IS NULL))
EXECUTE FUNCTION claude_pool_tell()
"""
_WANTED = """
CREATE FUNCTION claude_pool_tell_writers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('claude_pool_effects', '');
    RETURN NULL;
END $$
"""
_WANTS = """
CREATE TRIGGER claude_pool_wants AFTER INSERT OR UPDATE OF wanted_version ON effects
FOR EACH STATEMENT EXECUTE FUNCTION claude_pool_tell_writers()
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in (_TELL, _NEW, _CHANGED, _WANTED, _WANTS):
            op.execute(statement)
