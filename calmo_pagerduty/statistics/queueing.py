"""Erlang's formulas: how likely all responders are busy. Pure.

`load` is in erlangs: incidents per hour times the hours that one keeps a responder engaged.
Source: A. K. Erlang (1917); by the recursion B(0) = 1, B(n) = load B(n - 1) / (n + load B(n - 1)).
"""


def erlang_b(load: float, responders: int) -> float:
    """Return the probability that an arriving incident finds all responders busy, if none waits."""
    blocked = 1.0
    for number in range(1, responders + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(load: float, responders: int) -> float:
    """Return the probability that an arriving incident must wait; 1 if the load is too much."""
    if load >= responders:
        return 1.0
    blocked = erlang_b(load, responders)
    return blocked / (1 - load / responders * (1 - blocked))


def responders_needed(load: float, most_waiting: float) -> int:
    """Return the fewest responders of whom all are busy with at most this probability (Erlang C)."""
    responders = 1
    while erlang_c(load, responders) > most_waiting:
        responders += 1
    return responders
