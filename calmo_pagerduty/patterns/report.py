"""The patterns of an account at `now` (epoch seconds, UTC). Pure."""

from dataclasses import dataclass

from calmo_pagerduty.patterns.alert_grouping import GroupingAdvice, grouping_advice
from calmo_pagerduty.patterns.auto_pause import PauseAdvice, pause_advice
from calmo_pagerduty.patterns.escalations import TeamEscalations, team_escalations
from calmo_pagerduty.patterns.flapping import FlappingAlert, flapping_alerts
from calmo_pagerduty.patterns.misrouting import Misrouting, misroutings
from calmo_pagerduty.patterns.noise import NoiseRow, noise_rows
from calmo_pagerduty.patterns.past import Past, past_of
from calmo_pagerduty.patterns.recurring import RecurringGroup, recurring_groups
from calmo_pagerduty.snapshots.model import AccountSnapshot


@dataclass(frozen=True, slots=True)
class PatternReport:
    """What was found, in each part that with the most pages first."""

    past: Past
    flapping: tuple[FlappingAlert, ...]
    pauses: tuple[PauseAdvice, ...]
    noise: tuple[NoiseRow, ...]
    groupings: tuple[GroupingAdvice, ...]
    recurring: tuple[RecurringGroup, ...]
    misroutings: tuple[Misrouting, ...]
    escalations: tuple[TeamEscalations, ...]


def pattern_report(snapshot: AccountSnapshot, now: int) -> PatternReport:
    past = past_of(snapshot, now)
    return PatternReport(
        past,
        flapping_alerts(past),
        pause_advice(past),
        noise_rows(past),
        grouping_advice(past),
        recurring_groups(past),
        misroutings(past),
        team_escalations(past),
    )
