"""API models of post-incident reports."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from calmo_pagerduty.post_incident.model import MAX_ADDITION_LENGTH, PartName
from ingress.api.models import Model
from ingress.findings.digest_endpoints import PageFormat


class PostIncidentQuery(Model):
    format: PageFormat = PageFormat.JSON


class AdditionBody(Model):
    """What a person adds to the report. It stays when the report is made again."""

    part: PartName = PartName.LESSONS
    text: Annotated[str, Field(min_length=1, max_length=MAX_ADDITION_LENGTH, pattern=r"^[^\x00]*\S[^\x00]*$")]


class AdditionModel(Model):
    """`at` is UTC."""

    id: int
    part: PartName
    author: str
    at: datetime
    text: str
