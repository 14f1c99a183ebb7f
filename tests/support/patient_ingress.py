"""`calmo-pagerduty ingress` for a busy machine, started by ingress_process.py as a program of its own.

Its limits are long, so that none of them runs out by accident. The first argument is how many seconds a
delivery's body may take; the others are the command line's.
"""

import sys

from calmo_pagerduty.db import database
from ingress import cli, server
from ingress.webhook_receiver import receiver
from tests.support.patience import LIMIT, STORY

if __name__ == "__main__":
    database.SQLITE_BUSY_SECONDS = LIMIT
    receiver.COMMIT_SECONDS = LIMIT
    receiver.BODY_SECONDS = float(sys.argv.pop(1))
    # What doesn't end by itself holds up the shutdown for longer than a test waits for it.
    server.SHUTDOWN_SECONDS = int(STORY)
    cli.main()
