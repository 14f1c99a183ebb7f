"""The operating system's signals that stop a program."""

import asyncio
import signal


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals to stop on. SIGHUP (the terminal was closed) stays ignored under nohup."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if ignored else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def wait_for_signal() -> None:
    """Wait for Ctrl-C, SIGTERM or SIGHUP."""
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
