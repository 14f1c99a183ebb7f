"""The lint of escalation policies as a page: what to mend, each ladder, PagerDuty's own scores. Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from calmo_pagerduty.escalation.entities import percent
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import local_time, time_zone
from calmo_pagerduty.oncall.digest_html import finding_html, limits_html
from calmo_pagerduty.plots.html_page import html_page, html_text
from calmo_pagerduty.snapshots.model import AccountSnapshot

TITLE = "Escalation policies reviewed"
NOTHING = "Nothing was found that would keep a page from reaching somebody."
#: A ladder names at most so many people of a level.
MAX_PEOPLE = 8
#: The same in every ladder, so that they stand below each other.
_WIDTHS = "".join(f'<col style="width:{width}">' for width in ("4rem", "8rem", "45%", "auto"))


def policy_review_html(result: AnalysisResult, snapshot: AccountSnapshot) -> str:
    """Return the result of `escalation.lint` as a page. It shows the persons that the result names."""
    return html_page(TITLE, "\n".join(_body(result, snapshot)))


def _body(result: AnalysisResult, snapshot: AccountSnapshot) -> Iterator[str]:
    people = {user.id: user.name for user in snapshot.users}
    services = {service.id: service.name for service in snapshot.services}
    since, until = (_day(at, result.time_zone) for at in result.window)
    yield f"<h1>{TITLE}</h1>"
    taken = _moment(snapshot.taken_at, result.time_zone)
    yield (
        f'<p class="muted">{len(result.metrics["policies"])} policies, from {since} to {until}. Account as of'
        f" {taken}, snapshot <code>{html_text(snapshot.id)}</code>.</p>"
    )
    yield limits_html(_limits(result))
    yield "<h2>What to mend</h2>"
    if not result.findings:
        yield f'<p class="good">{NOTHING}</p>'
    yield from (finding_html(finding, result.time_zone) for finding in result.findings)
    yield "<h2>Ladders</h2>"
    yield "<p>Whom each level pages, and after how many minutes the policy moves on if nobody answers.</p>"
    yield from (_ladder(policy, people) for policy in result.metrics["policies"])
    if result.metrics["standards"]:
        yield from _standards(result.metrics["standards"], services)
    yield (
        "<footer>Made by <code>calmo-pagerduty escalation lint --format html</code>. The same snapshot gives"
        " the same page.</footer>"
    )


def _ladder(policy: JsonObject, people: Mapping[str, str]) -> str:
    alone = policy["single_person_share"]
    single = "an unknown part" if alone is None else percent(alone)
    passes = policy["num_loops"] + 1
    rows, after = [], 0
    for level in policy["levels"]:
        rows.append(
            f'<tr><td class="number">{level["level"]}</td><td class="number">+{after} min</td>'
            f"<td>{_people(level, people)}</td><td>{_remarks(level, people)}</td></tr>"
        )
        after += level["delay_minutes"]
    return (
        f"<h3>{html_text(policy['name'])}</h3>"
        f'<p class="muted">{policy["path_minutes"]} min on the whole path, {passes}'
        f" {'pass' if passes == 1 else 'passes'}; a single person is everybody on call for {single} of the"
        f' time</p><div class="wide"><table>{_WIDTHS}<thead><tr><th class="number" scope="col">level</th>'
        '<th class="number" scope="col">paged after</th><th scope="col">on call in this time</th>'
        f'<th scope="col">note</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _people(level: JsonObject, people: Mapping[str, str]) -> str:
    user_ids = level["user_ids"]
    if user_ids is None:
        return "unknown: a schedule can't be read"
    if not user_ids:
        return "nobody"
    names = [html_text(people.get(user_id, user_id), 120) for user_id in user_ids]
    more = f" and {len(names) - MAX_PEOPLE} more" if len(names) > MAX_PEOPLE else ""
    return f"{', '.join(names[:MAX_PEOPLE])}{more}"


def _remarks(level: JsonObject, people: Mapping[str, str]) -> str:
    found = ["round robin: one of them"] if level["is_round_robin"] else []
    if level["empty_share"]:
        found.append(f"empty for {percent(level['empty_share'])} of the time")
    if level["same_person_as_next_share"]:
        found.append(f"for {percent(level['same_person_as_next_share'])} the next level is the same person")
    found += [f"{people.get(key, key)} is never paged here" for key in level["never_paged_user_ids"]]
    return html_text("; ".join(found))


def _standards(standards: list[JsonObject], services: Mapping[str, str]) -> Iterator[str]:
    compared = [row for row in standards if row["ours"] is not None]
    differs = sum(row["differs"] for row in compared)
    passed = sum(row["passed"] for row in standards)
    yield "<h2>PagerDuty's own standards</h2>"
    yield (
        f"<p>PagerDuty scores {len(standards)} standards of services; {passed} are passed. We judge"
        f" {len(compared)} of them too, and differ on {differs}.</p>"
    )
    shown = [row for row in standards if row["differs"] or not row["passed"]]
    if not shown:
        return
    rows = "".join(
        f"<tr><td>{html_text(services.get(row['service_id'], row['service_id']), 120)}</td>"
        f"<td>{html_text(row['name'], 120)}</td><td>{_verdict(row['passed'])}</td>"
        f"<td>{_verdict(row['ours'])}</td><td>{html_text(row['explanation'], 300)}</td></tr>"
        for row in shown
    )
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("service", "standard", "PagerDuty", "we", "why")
    )
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _verdict(passed: bool | None) -> str:
    return "not judged" if passed is None else "passed" if passed else "failed"


def _limits(result: AnalysisResult) -> Iterator[str]:
    if result.inputs.missing_permissions:
        yield f"Not readable with this token: {', '.join(result.inputs.missing_permissions)}"
    if result.inputs.truncated:
        yield f"Incomplete: {', '.join(result.inputs.truncated)}"


def _day(at: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, time_zone(zone) or UTC):%-d %b %Y}"


def _moment(at: int, zone: str) -> str:
    return (
        f"{_day(at, zone)}, {html_text(local_time(datetime.fromtimestamp(at, UTC), time_zone(zone)) or '')}"
    )
