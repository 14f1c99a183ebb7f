"""The signals that end a program, and waiting for one."""

import asyncio
import signal


def stop_signals() -> tuple[signal.Signals, ...]:
    """SIGHUP comes when the terminal is closed; under nohup it is ignored, and stays so."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if ignored else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def wait_for_signal() -> None:
    """Wait for Ctrl-C, SIGTERM, or the end of the terminal."""
    stop = asyncio.Event()
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
