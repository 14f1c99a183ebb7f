"""What PagerDuty's analytics measure of one incident, and the parsing of it. Pure.

Source: `POST /analytics/raw/incidents`, whose rows have fields of these names. Durations are in seconds; None
means that it did not happen, or that PagerDuty did not say.
"""

from dataclasses import dataclass

from calmo_pagerduty.kernel.json_values import JsonObject


@dataclass(frozen=True, slots=True)
class IncidentMeasures:
    """The measures of an incident. Interruptions are counted by the interrupted person's own hours."""

    seconds_to_first_ack: int | None = None
    seconds_to_engage: int | None = None
    seconds_to_mobilize: int | None = None
    seconds_to_resolve: int | None = None
    engaged_seconds: int = 0
    engaged_users: int = 0
    #: As users edited it; None if nobody did.
    user_defined_seconds: int | None = None
    snoozed_seconds: int = 0
    acknowledgements: int = 0
    assignments: int = 0
    reassignments: int = 0
    manual_escalations: int = 0
    timeout_escalations: int = 0
    business_interruptions: int = 0
    off_interruptions: int = 0
    sleep_interruptions: int = 0
    notifications: int = 0
    #: One of the two highest priorities, or several responders; None if unknown.
    is_major: bool | None = None

    @property
    def escalations(self) -> int:
        """All escalations, by hand and by timeout."""
        return self.manual_escalations + self.timeout_escalations


def parse_measures(row: JsonObject) -> IncidentMeasures | None:
    """Parse the measures of a raw row of the analytics; None if it has no count of acknowledgements."""
    if _count(row.get("acknowledgement_count")) is None:
        return None

    def count(name: str) -> int:
        return _count(row.get(name)) or 0

    return IncidentMeasures(
        seconds_to_first_ack=_count(row.get("seconds_to_first_ack")),
        seconds_to_engage=_count(row.get("seconds_to_engage")),
        seconds_to_mobilize=_count(row.get("seconds_to_mobilize")),
        seconds_to_resolve=_count(row.get("seconds_to_resolve")),
        engaged_seconds=count("engaged_seconds"),
        engaged_users=count("engaged_user_count"),
        user_defined_seconds=_count(row.get("user_defined_effort_seconds")),
        snoozed_seconds=count("snoozed_seconds"),
        acknowledgements=count("acknowledgement_count"),
        assignments=count("assignment_count"),
        reassignments=count("reassignment_count"),
        manual_escalations=count("manual_escalation_count"),
        timeout_escalations=count("timeout_escalation_count"),
        business_interruptions=count("business_hour_interruptions"),
        off_interruptions=count("off_hour_interruptions"),
        sleep_interruptions=count("sleep_hour_interruptions"),
        notifications=count("total_notifications"),
        is_major=row["major"] if isinstance(row.get("major"), bool) else None,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
