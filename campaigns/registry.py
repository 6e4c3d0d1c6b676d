"""The campaigns by their names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from campaigns.campaign import Campaign

CAMPAIGNS = {
    "scanner": "campaigns.scanner:Scanner",
    "learner": "campaigns.learner:Learner",
    "encoder": "campaigns.encoder:Encoder",
    "chains": "campaigns.chains:Chains",
    "documents": "campaigns.documents:Documents",
    "json": "campaigns.json_lines:JsonLines",
    "files": "campaigns.files:Files",
    "kills": "campaigns.kills:Kills",
    "io": "campaigns.io_faults:IoFaults",
}
"""Where the class of each is. Opened late: a crash while one is imported is a finding, too."""


def open_campaign(place: str, scratch: Path) -> Campaign[Any]:
    """Return the campaign at a place, MODULE:CLASS, which works in a folder."""
    return campaign_class(place)(scratch)


def campaign_class(place: str) -> type[Campaign[Any]]:
    """Return the class at a place."""
    module, _, name = place.partition(":")
    found: type[Campaign[Any]] = getattr(import_module(module), name)
    return found
