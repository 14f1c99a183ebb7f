"""A pack: a flapping disk alert, which resolves itself and returns minutes later."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.events import Event
from pagerduty_simulator.packs.company import CompanySize, ServiceProfile, build_company
from pagerduty_simulator.packs.everyday import draw_life, key_of, title_of
from pagerduty_simulator.packs.present import Present
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.packs.vocabulary import Trouble
from pagerduty_simulator.past import IncidentLife
from pagerduty_simulator.references import Site

_DISK: Final = Trouble("disk # % full on @", "disk_usage", "Old logs deleted by hand.", 0.3, "low")
#: How long the alert stays, and how long it is away, in minutes.
_STAYS: Final = (2.0, 4.0)
_AWAY: Final = (3.0, 6.0)


def flapping_disk(
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return the world in which a disk alert has come and gone three to five times within an hour.

    In the placebo it came as often, but hours apart, or people resolved it.
    """
    company = build_company(now=now, seed=f"flapping/{seed}", shape=shape or CompanySize(), site=site)
    rng, present = company.rng, Present(company)
    profile = rng.choice(company.tier(0))
    opened_at = company.now - timedelta(minutes=rng.uniform(1, 2))
    by_people, rounds = placebo and rng.random() < 0.5, rng.randrange(3, 6)
    further = 30.0 if placebo and not by_people else 1.0
    at, lives = opened_at, list[IncidentLife]()
    for _ in range(rounds):
        gone_at = at - further * timedelta(minutes=rng.uniform(*_AWAY))
        at = gone_at - timedelta(minutes=rng.uniform(*_STAYS))
        life = replace(
            draw_life(company, profile, at, company.now, trouble=replace(_DISK, heals_itself=1.0)),
            resolved_at=gone_at,
        )
        if by_people:
            mender = company.responder(profile.service, at)
            acknowledged_at = at + (gone_at - at) / 2
            life = replace(
                life,
                acknowledged_at=acknowledged_at,
                acknowledged_by=mender,
                resolved_by=mender,
                resolution=_DISK.resolution,
            )
        lives.append(life)
    present.begin_after(opened_at, (profile,), lives)
    incident_id = present.open(profile, opened_at, _DISK)
    if not placebo:
        _go_on(present, profile, incident_id)
    return present.world(replace(present.truth(incident_id, profile), is_flapping=not placebo))


def _go_on(present: Present, profile: ServiceProfile, incident_id: str) -> None:
    """Schedule the alert to come and go as long as the account is served."""
    company, account = present.company, present.account

    def come() -> tuple[Event, ...]:
        title, key = title_of(profile.service, _DISK, company.rng), key_of(profile.service, _DISK)
        events = account.trigger(profile.service.id, title, urgency=_DISK.urgency, incident_key=key)
        opened_id = str(events[0].incident_id)
        account.add_alert(opened_id, title, "warning", {"source": profile.service.name}, key)
        go_later(opened_id)
        return events

    def go_later(opened_id: str) -> None:
        stays, away = company.rng.uniform(*_STAYS), company.rng.uniform(*_AWAY)
        gone_at = account.incident(opened_id).created_at + timedelta(minutes=stays)
        account.schedule_step(gone_at, lambda: account.resolve(opened_id))
        account.schedule_step(gone_at + timedelta(minutes=away), come)

    go_later(incident_id)
