"""Opaque identifiers in PagerDuty's forms, drawn from a seeded generator."""

import random
import uuid
from datetime import datetime
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS_AND_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


#: Ten bits a piece: packs draw a hundred thousand ids.
_CROCKFORD_PAIRS: Final = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)


def _crockford(number: int, length: int) -> str:
    """Write the lowest bits of a number; `length` is even."""
    return "".join([_CROCKFORD_PAIRS[number >> shift & 1023] for shift in range(5 * length - 10, -1, -10)])


def _letters_and_digits(rng: random.Random, count: int) -> str:
    """Draw as `rng.choices` does, in half the time."""
    draw = rng.random
    return "".join([_LETTERS_AND_DIGITS[int(draw() * 36.0)] for _ in range(count)])


def event_id(at: datetime, rng: random.Random) -> str:
    """Return a 26-character ULID-like id: 48 bits of milliseconds, 80 random bits."""
    milliseconds = int(at.timestamp() * 1000)
    return _crockford(milliseconds, 10) + _crockford(rng.getrandbits(80), 16)


def incident_id(rng: random.Random) -> str:
    """Return a 14-character incident id that begins with Q, the newer of PagerDuty's two forms."""
    return "Q" + _letters_and_digits(rng, 13)


def object_id(rng: random.Random) -> str:
    """Return a 7-character id that begins with P, the form of ids of users, services, notes and others."""
    return "P" + _letters_and_digits(rng, 6)


def random_uuid(rng: random.Random) -> str:
    """Return a version 4 UUID drawn from `rng`."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def incident_key(rng: random.Random) -> str:
    """Return 32 hexadecimal digits, the form of the keys that PagerDuty generates."""
    return f"{rng.getrandbits(128):032x}"
