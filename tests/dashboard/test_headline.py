"""The line at the top: whether you are on call, what is open, and who is paged next."""

import re
import time

from calmo_pagerduty.access.permissions import ISSUES_READ
from tests.support.builders import a_reference
from tests.support.coverage_worlds import DAY, HOUR, account, policy_of, schedule_of
from tests.support.dashboard import DashboardSite
from tests.support.eventually import eventually
from tests.support.snapshots import store_snapshot


async def line_of(site: DashboardSite, key: str, word: str = "") -> str:
    """Return the line as text, once it has this word: a page does not wait for a snapshot to load."""
    signed_in = await site.session(key)

    async def line() -> str:
        page = (await signed_in.get("/dashboard/now")).text
        shown = page.partition('class="headline"')[2].partition('id="live"')[0]
        return " ".join(re.sub(r"<[^>]*>", " ", shown.partition(">")[2]).split())

    return await eventually(line, lambda text: word in text)


async def test_the_line_says_whether_you_are_on_call_and_who_is_paged_next(site: DashboardSite) -> None:
    now = int(time.time())
    schedules = (
        schedule_of("S1", (now - HOUR, now + 2 * HOUR, "UA"), (now + 2 * HOUR, now + DAY, "UB")),
        schedule_of("S2", (now - DAY, now + DAY, "UC")),
    )
    snapshot = account(
        schedules=schedules,
        policies=(policy_of("PPOLICY1", ["S1"], ["S2"]),),
        taken_at=now,
        rendered_since=now - DAY,
        rendered_until=now + 30 * DAY,
    )
    stored = store_snapshot(site.database, snapshot)
    assert "on call (Policy PPOLICY1, level 1), ends in 1 h 59 min" in await line_of(
        site, site.a_key(person="UA"), "on call"
    )
    assert "not on call, next in 1 h 59 min" in await line_of(site, site.a_key(person="UB"), "not on call")
    assert "not on call" in await line_of(site, site.a_key(person="UX"), "not on call")
    webhook = site.webhook(connection_id=stored.connection_id)
    assignees = [a_reference("user", "UA", "Person UA")]
    await site.an_issue(webhook, "Nobody answered yet", 10, assignees=assignees)
    reader = site.a_key()
    assert re.search(
        r"1 open next page to Person UC in (19|20) min", await line_of(site, reader, "next page")
    )
    assert "1 open 1 yours" in await line_of(site, site.a_key(person="UA"), "yours")
    hidden = await line_of(site, site.a_key(ISSUES_READ), "open")
    assert "Person UC" not in hidden
