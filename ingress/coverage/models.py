"""Models of the coverage and readiness endpoints. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from calmo_pagerduty.absences.ics import MAX_BYTES
from calmo_pagerduty.coverage.conflicts import MIN_REST_HOURS
from calmo_pagerduty.coverage.report import MAX_DAYS
from calmo_pagerduty.kernel.time_zones import time_zone
from ingress.api.models import Model, Word

Json = dict[str, Any]
PagerDutyId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
#: A moment with its offset. Conversions between zones fail at the ends of the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]


def _known_zone(name: str) -> str:
    if time_zone(name) is None:
        raise ValueError("there is no such time zone: name one of IANA's, as Europe/London")
    return name


ZoneName = Annotated[Word, AfterValidator(_known_zone)]


class SnapshotQuery(Model):
    as_of: Moment | None = Field(
        None, description="Take the newest snapshot of this time or before. Default: the newest."
    )
    now: Moment | None = Field(None, description="The time from which to look ahead. Default: now.")


class CoverageQuery(SnapshotQuery):
    days: int = Field(30, ge=1, le=MAX_DAYS)
    schedule: PagerDutyId | None = Field(None, description="Only this schedule and what uses it.")
    policy: PagerDutyId | None = Field(None, description="Only this escalation policy and what it uses.")
    service: PagerDutyId | None = Field(None, description="Only this service and what it uses.")
    min_rest_hours: float = Field(MIN_REST_HOURS, ge=0, le=48, description="Less rest is a conflict.")
    lanes: bool = Field(False, description="With lanes for plots.")


class PictureQuery(SnapshotQuery):
    days: int = Field(30, ge=1, le=MAX_DAYS)
    schedule: PagerDutyId | None = Field(None, description="Only this schedule and what uses it.")
    policy: PagerDutyId | None = Field(None, description="Only this escalation policy and what it uses.")
    service: PagerDutyId | None = Field(None, description="Only this service and what it uses.")
    time_zone: ZoneName | None = Field(None, description="IANA's name. Default: the account's zone.")


class GridQuery(SnapshotQuery):
    period: Literal["week", "month"] = "week"
    days: int | None = Field(None, ge=1, le=MAX_DAYS, description="So many days instead of the period.")
    schedule: PagerDutyId | None = Field(None, description="Only this schedule.")
    policy: PagerDutyId | None = Field(None, description="Only schedules of this escalation policy.")
    team: PagerDutyId | None = Field(None, description="Only schedules of this team.")
    time_zone: ZoneName | None = Field(None, description="IANA's name. Default: the account's zone.")


class ReadinessQuery(SnapshotQuery):
    days: int = Field(30, ge=1, le=MAX_DAYS, description="Who can be on call in so many days.")


class NowNextQuery(SnapshotQuery):
    service: PagerDutyId | None = Field(None, description="Only this service.")
    time_zone: ZoneName | None = Field(
        None, description="The reader's zone, IANA's name. Default: the account's zone."
    )


class CalendarBody(Model):
    """A person's calendar in iCalendar format. It is used for this answer, and not stored."""

    user: PagerDutyId = Field(description="The person's id at PagerDuty.")
    text: str = Field(max_length=MAX_BYTES)


class ConflictsBody(SnapshotQuery):
    calendars: list[CalendarBody] = Field(max_length=20)
    days: int = Field(30, ge=1, le=MAX_DAYS)
    min_rest_hours: float = Field(MIN_REST_HOURS, ge=0, le=48, description="Less rest is a conflict.")
    all_events: bool = Field(
        False, description="Every event is an absence. Default: those whose summary says so."
    )


class ConflictsModel(Model):
    """Conflicts of persons whom the key may see; `hidden_conflicts` counts the others."""

    snapshot_id: str
    snapshot_taken_at: str
    conflicts: list[Json]
    hidden_conflicts: int
    #: What of the calendars was left out: person, reason and how many events.
    skipped_events: list[Json]


class CoverageModel(Model):
    """Where somebody is on call and where nobody is. Percentages are of the known time, 0 to 100."""

    snapshot_id: str
    snapshot_taken_at: str
    window: Json
    #: What could not be read, or is not known, in words.
    limits: list[str]
    policies: list[Json]
    services: list[Json]
    schedules: list[Json]
    cliffs: list[Json]
    orphaned_overrides: list[Json]
    #: Conflicts of persons whom the key may see; `hidden_conflicts` counts the others.
    conflicts: list[Json]
    hidden_conflicts: int
    schedules_in_no_policy: list[Json]
    policies_of_no_service: list[Json]
    services_without_policy: list[Json]
    #: `policies` and `schedules`, for plots, if they were asked for.
    lanes: Json | None = None


class ReadinessReportModel(Model):
    """Who can be paged, by what. States: not_reachable, never_paged, email_only, unknown, ready."""

    snapshot_id: str
    snapshot_taken_at: str
    now: str
    limits: list[str]
    #: What isn't known about contact methods, in words.
    verification: str
    counts: dict[str, int]
    #: Persons whom the key may see; `hidden_people` counts the others.
    people: list[Json]
    hidden_people: int


class NowNextModel(Model):
    """For each service: the first level with somebody, until when, who is next, and what may stop a page."""

    snapshot_id: str
    snapshot_taken_at: str
    now: str
    time_zone: str
    limits: list[str]
    services: list[Json]
