"""What a failed signal means: the signal is refused, it is too large, or Temporal is away."""

from temporalio.service import RPCError, RPCStatusCode

_OUTAGES = {
    RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNKNOWN,
    RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.CANCELLED, RPCStatusCode.INTERNAL,
}  # fmt: skip
#: In messages of gRPC (4 MB a message) and of Temporal (2 MB a signal).
_TOO_LARGE = ("larger than max", "size exceeds limit", "message too large")


def is_too_large(error: Exception) -> bool:
    """Tell whether the signal holds too much, so that half of it may pass."""
    return isinstance(error, RPCError) and any(text in error.message.lower() for text in _TOO_LARGE)


def lacks_search_attribute(error: Exception) -> bool:
    """Tell whether the namespace does not know a search attribute (any more)."""
    return (
        isinstance(error, RPCError)
        and error.status is RPCStatusCode.INVALID_ARGUMENT
        and "search attribute" in error.message.lower()
    )


def is_refusal(error: Exception) -> bool:
    """Tell whether Temporal calls the signal itself invalid.

    Two such errors pass by themselves: a search attribute that the server does not know yet, and a run that
    had too many signals, because a new run follows.
    """
    if not isinstance(error, RPCError) or error.status is not RPCStatusCode.INVALID_ARGUMENT:
        return False
    return not lacks_search_attribute(error) and "exceeded" not in error.message.lower()


def is_outage(error: Exception) -> bool:
    """Tell whether Temporal may be away, so that other signals would fail as well."""
    if isinstance(error, RPCError):
        return error.status in _OUTAGES and not is_too_large(error)
    # A client that has never reached the server raises RuntimeError.
    return isinstance(error, TimeoutError | OSError | RuntimeError)


def describe(error: Exception) -> str:
    """Return the fault in a line for logs, without anything of the signal's content."""
    if isinstance(error, RPCError):
        return f"{error.status.name}: {error.message.splitlines()[0] if error.message else ''}"
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
