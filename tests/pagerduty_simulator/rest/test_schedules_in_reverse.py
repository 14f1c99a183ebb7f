"""Layers may be listed in the opposite order: PagerDuty's own scripts and Terraform's provider met both."""

from tests.support.rest_account import Api

WEEK = {"since": "2026-01-05T00:00:00Z", "until": "2026-01-12T00:00:00Z"}


async def test_layers_in_the_opposite_order_mean_the_same(api: Api) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}"
    before = (await api.get(path, **WEEK))["schedule"]
    api.site.reverses_layers = True
    after = (await api.get(path, **WEEK))["schedule"]
    assert after["schedule_layers"] == before["schedule_layers"][::-1]
    assert after["final_schedule"] == before["final_schedule"]
