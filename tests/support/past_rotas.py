"""Accounts with thirteen weeks of past, whose rotas are uneven by plan or only seem so. Truth is known."""

import random
from dataclasses import replace

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.rendering import render
from calmo_pagerduty.snapshots.model import AccountSnapshot, Override, Schedule
from tests.support.chance import repeatable
from tests.support.rota_accounts import HANDOFF, NAMES, WEEK, layer_schedule, rota_account, weekly_layer
from tests.support.small_accounts import DAY

PAST_WEEKS = 13


def with_past(schedule: Schedule, weeks: int = PAST_WEEKS) -> AccountSnapshot:
    """Return an account at Monday nine o'clock, rendered from weeks ago to eight weeks ahead."""
    account = rota_account(schedule)
    since, until = HANDOFF - weeks * WEEK, HANDOFF + 8 * WEEK
    rendered = replace(schedule, entries=render(schedule, Span(since, until)))
    return replace(
        account, taken_at=HANDOFF, rendered_since=since, rendered_until=until, schedules=(rendered,)
    )


def rota(*users: str, turn: int = WEEK) -> Schedule:
    start = HANDOFF - 26 * WEEK
    layer = replace(weekly_layer(*users, turn=turn), start=start, rotation_virtual_start=start)
    return layer_schedule(layer)


def uneven_by_plan(seed: int) -> AccountSnapshot:
    """The first person has every second turn. Now and then somebody else steps in."""
    rng = repeatable(seed)
    others = rng.sample(list(NAMES)[1:], rng.choice((2, 3)))
    users = [user for other in others for user in ("UA", other)]
    schedule = rota(*users, turn=rng.choice((WEEK, 2 * DAY, 3 * DAY)))
    return with_past(replace(schedule, overrides=_random_days(rng, rng.randrange(4), HANDOFF)))


def even_in_truth(seed: int) -> AccountSnapshot:
    """The plan is as uneven, and in the past others always took over half of the first person's turns."""
    rng = repeatable(seed)
    others = rng.sample(list(NAMES)[1:], rng.choice((2, 3)))
    users = [user for other in others for user in ("UA", other)]
    schedule = rota(*users, turn=rng.choice((WEEK, 2 * DAY, 3 * DAY)))
    window = Span(HANDOFF - PAST_WEEKS * WEEK, HANDOFF)
    turns = [entry for entry in render(schedule, window) if entry.user_id == "UA"]
    kept = len(others) + 1
    taken = [entry for number, entry in enumerate(turns) if number % kept]
    overrides = tuple(
        Override(f"O{number:03}", entry.start, entry.end, others[number % len(others)])
        for number, entry in enumerate(taken)
    )
    return with_past(replace(schedule, overrides=overrides))


def even_by_plan(seed: int) -> AccountSnapshot:
    """Everybody has the same turns; now and then somebody steps in, in the past and ahead."""
    rng = repeatable(seed)
    users = rng.sample(list(NAMES), rng.choice((2, 3, 4)))
    schedule = rota(*users, turn=rng.choice((WEEK, DAY, 2 * DAY)))
    return with_past(replace(schedule, overrides=_random_days(rng, rng.randrange(9), HANDOFF + 4 * WEEK)))


def _random_days(rng: random.Random, count: int, until: int) -> tuple[Override, ...]:
    since = HANDOFF - PAST_WEEKS * WEEK
    starts = (rng.randrange((until - since) // DAY) * DAY + since for _ in range(count))
    return tuple(
        Override(f"O{number}", start, start + DAY, rng.choice(list(NAMES)))
        for number, start in enumerate(starts)
    )
