"""Who is on call by schedules that do not change: each is rendered once, and then only looked up."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.belongings import Schedule
from pagerduty_simulator.shifts import Shift

#: Shifts are filed by these spans, so that a look-up sees few of them.
_SPAN: Final = timedelta(days=1)
_A_DAY_MORE: Final = timedelta(days=1)


class StandingSchedules:
    """The rendered shifts of schedules in [since, until], with a day more on both sides."""

    def __init__(self, schedules: Mapping[str, Schedule], since: datetime, until: datetime) -> None:
        self._schedules = schedules
        self._since, self._until = since - _A_DAY_MORE, until + _A_DAY_MORE
        self._filed: dict[str, dict[int, list[Shift]]] = {}

    def at(self, schedule_id: str, at: datetime) -> list[Shift]:
        """Return the shifts of a schedule at a moment."""
        filed = self._filed.get(schedule_id)
        if filed is None:
            filed = self._filed[schedule_id] = self._file(self._schedules[schedule_id])
        return [shift for shift in filed.get(self._place(at), ()) if shift.start <= at < shift.end]

    def _place(self, at: datetime) -> int:
        return (at - self._since) // _SPAN

    def _file(self, schedule: Schedule) -> dict[int, list[Shift]]:
        filed: dict[int, list[Shift]] = {}
        for shift in schedule.final_shifts(self._since, self._until):
            first, last = self._place(max(shift.start, self._since)), self._place(min(shift.end, self._until))
            for place in range(first, last + 1):
                filed.setdefault(place, []).append(shift)
        return filed
