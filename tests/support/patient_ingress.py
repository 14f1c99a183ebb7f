"""`calmo-pagerduty ingress` for a busy machine, started by ingress_process.py as a program of its own.

Its limits are long, so that none of them runs out by accident. The first arguments are how many seconds a
delivery's body, a request's head and an unread answer may take; the others are the command line's.
"""

import sys

from calmo_pagerduty.db import database
from ingress import cli, http_protocol, server
from ingress.webhook_receiver import receiver
from tests.support.patience import LIMIT, STORY

if __name__ == "__main__":
    database.SQLITE_BUSY_SECONDS = LIMIT
    receiver.COMMIT_SECONDS = LIMIT
    receiver.BODY_SECONDS = float(sys.argv.pop(1))
    http_protocol.HEAD_SECONDS = float(sys.argv.pop(1))
    http_protocol.UNREAD_SECONDS = float(sys.argv.pop(1))
    http_protocol.BODY_SECONDS = 2 * LIMIT
    # What doesn't end by itself holds up the shutdown for longer than a test waits for it.
    server.SHUTDOWN_SECONDS = int(STORY)
    cli.main()
