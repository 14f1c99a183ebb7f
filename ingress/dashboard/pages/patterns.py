"""Patterns: what repeats in the incidents of an account, and what a change would have avoided."""

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.patterns.pictures import pattern_figures
from calmo_pagerduty.patterns.story_document import STORY_COLUMNS
from calmo_pagerduty.patterns.texts import PARTS
from ingress.dashboard.accounts import find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.patterns.models import PatternsQuery, StoriesQuery

STORY_HOURS = 7 * 24
FIGURES = frozenset({"Pages", "Spells", "Cycles", "Cumulative", "Pages delayed", "Pages nobody acted on"})


async def show_patterns(ask: Ask) -> Content:
    """GET /dashboard/trends/patterns"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    answer = await ask.ingress.patterns.patterns(account.request, ask.caller, PatternsQuery())
    tables = {
        name: Table(
            caption,
            tuple(Column(heading, text, is_figure=heading in FIGURES) for heading, text in columns),
            answer.metrics[name],
            empty=empty,
        )
        for name, (caption, columns, empty) in PARTS.items()
    }
    told = await ask.ingress.patterns.stories(ask.request, ask.caller, StoriesQuery(hours=STORY_HOURS))
    tables["stories"] = Table(
        f"Stories across teams and accounts, of the last {STORY_HOURS // 24} days",
        tuple(Column(heading, text) for heading, text in STORY_COLUMNS),
        told.stories,
        empty="No incidents of several teams belong together.",
    )
    return account.content(
        {
            "metrics": answer.metrics,
            "figures": pattern_figures(answer.metrics),
            "findings": answer.findings,
        },
        tables,
    )


PAGES = (Page("/trends/patterns", "Patterns", FINDINGS_READ, show_patterns, "patterns", tab="Patterns"),)
