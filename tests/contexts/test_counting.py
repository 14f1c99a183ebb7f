"""Operators see how many contexts were gathered, what they cost and what they lacked."""

from ingress.contexts.counting import ContextCounter
from tests.support.system import System


async def metrics(system: System) -> dict[str, float]:
    text = (await system.http.get("/metrics", headers=system.headers)).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("calmo_context")]
    return {name: float(value) for name, value in lines}


async def test_each_version_is_counted_once_with_what_it_lacked(system: System) -> None:
    counter = ContextCounter(system.database, system.ingress.metrics, leading=lambda: True)
    system.site.abilities.discard("event_intelligence")
    ref = system.trigger()
    found = await system.gather_context(ref)
    for _ in range(3):
        await counter.count_once()
    told = await metrics(system)
    assert told['calmo_contexts_total{state="degraded"}'] == 1
    assert told["calmo_context_seconds_count"] == 1
    assert told["calmo_context_requests_sum"] == found.requests
    lacking = 'calmo_context_sources_lacking_total{source="past_incidents",state="not_in_plan"}'
    assert told[lacking] == 1
    await system.gather_context(ref)
    await counter.count_once()
    assert (await metrics(system))['calmo_contexts_total{state="degraded"}'] == 2
