"""An account as large as contexts are made for: 500 services, 2,000 dependencies, 10,000 incidents."""

from datetime import UTC, datetime, timedelta

from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import Dependency
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.past import IncidentLife, write_change, write_past
from pagerduty_simulator.resources import Service
from tests.support.chance import repeatable

_TROUBLES = (
    "latency above {} ms",
    "error rate {} per minute",
    "disk of host {} is full",
    "queue has {} jobs",
)


def large_account(
    services: int = 500, dependencies: int = 2_000, incidents: int = 10_000, changes: int = 20_000
) -> Account:
    """Return the furnished shop, grown: half a year of incidents, a month of changes."""
    now = datetime.now(UTC)
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=11)
    rng = repeatable(11)
    policies = list(account.escalation_policies.values())
    people = list(account.users.values())
    made: list[Service] = list(account.services.values())
    for number in range(len(made), services):
        policy = rng.choice(policies)
        made.append(account.add_service(f"Service {number}", policy, policy.teams))
    known = {(dependency.supporting, dependency.dependent) for dependency in account.belongings.dependencies}
    while len(known) < dependencies:
        lower, upper = sorted(rng.sample(range(services), 2))
        edge = (("technical_service", made[upper].id), ("technical_service", made[lower].id))
        if edge not in known:
            known.add(edge)
            account.belongings.dependencies.append(Dependency(f"R{len(known):06}", *edge))
    lives = []
    for _ in range(incidents):
        service, opened = rng.choice(made), now - timedelta(days=1 + rng.random() * 178)
        by, acked = rng.choice(people), opened + timedelta(minutes=rng.randint(1, 30))
        title = f"{service.name}: {rng.choice(_TROUBLES).format(rng.randint(100, 999))}"
        lives.append(
            IncidentLife(
                service,
                title,
                opened,
                (by,),
                acked + timedelta(minutes=rng.randint(5, 90)),
                acked,
                by,
                resolved_by=by,
                resolution="Restarted it",
                notes=("Looking",),
            )
        )
    write_past(account, lives, rng)
    for _ in range(changes):
        at = now - timedelta(minutes=rng.randint(10, 29 * 24 * 60))
        write_change(account, rng.choice(made), at, "Release", rng)
    return account
