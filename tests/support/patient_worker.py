"""`python worker.py` for a busy machine: a context's sources are read to their end."""

from datetime import timedelta

from calmo_pagerduty.contexts import sources as context_sources
from calmo_pagerduty.db import database
from tests.support.patience import LIMIT, STORY

if __name__ == "__main__":
    # Before anything imports it.
    context_sources.SOURCES = {
        source: rule._replace(timeout=timedelta(seconds=STORY))
        for source, rule in context_sources.SOURCES.items()
    }
    database.SQLITE_BUSY_SECONDS = LIMIT
    import worker

    worker.main()
