"""`python worker.py` for a busy machine: a context's sources are read to their end."""

from datetime import timedelta

from patience import LIMIT, STORY

from calmo_pagerduty.domain import context_sources
from calmo_pagerduty.store import database

if __name__ == "__main__":
    # Before anything imports it.
    context_sources.SOURCES = {
        source: rule._replace(patience=timedelta(seconds=STORY))
        for source, rule in context_sources.SOURCES.items()
    }
    database.SQLITE_BUSY_SECONDS = LIMIT
    import worker

    worker.main()
