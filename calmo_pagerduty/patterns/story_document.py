"""Stories as JSON, and as rows of a table. Times are ISO 8601 in UTC. Pure."""

from collections.abc import Mapping

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.patterns.document import instant_text
from calmo_pagerduty.patterns.stories import Story, StoryAccount, StoryLink
from calmo_pagerduty.patterns.texts import Columns
from calmo_pagerduty.snapshots.dependency_model import ServiceKey


def story_document(story: Story, accounts: Mapping[str, StoryAccount]) -> JsonObject:
    """Return a story with every team's part; `ended_at` is None while a part is open."""
    ends = [part.end for part in story.parts if part.end is not None]
    is_over = len(ends) == len(story.parts)
    return {
        "began_at": instant_text(story.parts[0].at),
        "ended_at": instant_text(max(ends)) if is_over else None,
        "teams": list(story.teams),
        "accounts": list(story.accounts),
        "reasons": [_link(link, accounts) for link in story.links],
        "parts": [
            {
                "connection_id": part.connection_id,
                "account": accounts[part.connection_id].name,
                "service": _service(part.service, accounts)[0],
                "teams": list(_service(part.service, accounts)[1]),
                "incident": {"id": part.incident_id, "number": part.number, "html_url": part.html_url},
                "at": instant_text(part.at),
                "ended_at": None if part.end is None else instant_text(part.end),
            }
            for part in story.parts
        ],
    }


def _link(link: StoryLink, accounts: Mapping[str, StoryAccount]) -> JsonObject:
    return {
        "reason": str(link.reason),
        "services": [_service(key, accounts)[0] for key in link.services],
        "what": link.what or None,
        "p": None if link.p is None else float(f"{link.p:.2g}"),
    }


def _service(key: ServiceKey, accounts: Mapping[str, StoryAccount]) -> tuple[str, tuple[str, ...]]:
    """Return a service's name, and its teams' names."""
    connection_id, _, service_id = key.id.partition("/")
    snapshot = accounts[connection_id].snapshot
    teams = {team.id: team.name for team in snapshot.teams}
    for service in snapshot.services:
        if service.id == service_id:
            return service.name, tuple(teams[id] for id in service.team_ids if id in teams)
    return service_id, ()


def _reasons(row: JsonObject) -> str:
    words = set()
    for reason in row["reasons"]:
        detail = f" (p = {reason['p']})" if reason["what"] is None else f": {reason['what']}"
        words.add(f"{reason['reason']}{detail}")
    return "; ".join(sorted(words))


def _parts(row: JsonObject) -> str:
    return ", ".join(f"#{part['incident']['number']} {part['service']}" for part in row["parts"][:6])


STORY_COLUMNS: Columns = (
    ("Began", lambda row: str(row["began_at"])[:16].replace("T", " ")),
    ("State", lambda row: "over" if row["ended_at"] else "open"),
    ("Teams", lambda row: ", ".join(row["teams"]) or count_text(len(row["accounts"]), "account")),
    ("Because", _reasons),
    ("Parts, the first one first", _parts),
)
