"""`make schema`: writes `new_sqlite.sql` from the migrations."""

from __future__ import annotations

from claude_pool_gh.storage import Database
from claude_pool_gh.storage.migrations import NEW_SQLITE, run, script_of

if __name__ == "__main__":
    database = Database.temporary()
    run(database.engine)
    NEW_SQLITE.write_text(script_of(database.engine), "utf-8")
    database.close()
