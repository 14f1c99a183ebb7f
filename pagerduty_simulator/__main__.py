"""Entry point of `python -m pagerduty_simulator`."""

import signal

# Set before the slow imports, so that both signals always end the process at once, without a traceback.
# There is nothing to clean up: all state is in memory.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)

from pagerduty_simulator.cli import main  # noqa: E402 - after the signals are set

if __name__ == "__main__":
    main()
