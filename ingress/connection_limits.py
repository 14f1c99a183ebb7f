"""Which connections an overcrowded server closes: silent ones first, and those of the busiest peer."""

from typing import Protocol

#: Connections of all clients together.
MAX_CONNECTIONS = 2000


class Connection(Protocol):
    """A connection that can be closed while it is in no request."""

    def close_idle(self) -> None: ...


class ConnectionLimits:
    """Makes room for new connections by closing those that wait, so that silent clients shut nobody out.

    A connection is silent before its first request, busy in one, and idle after it. A newcomer displaces
    the longest silent connection, else the longest idle one: of its own peer if that has `per_peer`
    connections already, else of anybody if there are `at_most` in all. Busy ones are never displaced.
    """

    def __init__(self, per_peer: int, at_most: int = MAX_CONNECTIONS) -> None:
        self._per_peer = per_peer
        self._at_most = at_most
        self._peers: dict[Connection, str] = {}
        self._of_peer: dict[str, int] = {}
        #: In order of waiting, the longest first.
        self._silent: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}

    def add(self, connection: Connection, peer: str) -> bool:
        """Count a new connection. Returns False if it can't be taken, because all others are busy."""
        if self._of_peer.get(peer, 0) >= self._per_peer:
            if not self._displace(peer):
                return False
        elif len(self._peers) >= self._at_most and not self._displace(None):
            return False
        self._peers[connection] = peer
        self._of_peer[peer] = self._of_peer.get(peer, 0) + 1
        self._silent[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        peer = self._peers.pop(connection, None)
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)
        if peer is None:
            return
        self._of_peer[peer] -= 1
        if not self._of_peer[peer]:
            del self._of_peer[peer]

    def note_request(self, connection: Connection) -> None:
        """Note that the connection is busy in a request."""
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)

    def note_idle(self, connection: Connection) -> None:
        """Note that the connection waits for its next request."""
        if connection in self._peers:
            self._idle[connection] = None

    def _displace(self, peer: str | None) -> bool:
        for waiting in (self._silent, self._idle):
            for connection in waiting:
                if peer is None or self._peers[connection] == peer:
                    self.remove(connection)
                    connection.close_idle()
                    return True
        return False
