"""Whether those to whom traces are sent are there, and take them: each is asked, with a request that holds nothing."""

from __future__ import annotations

import os

from squad.config.credentials import check_exporters, headers
from squad.config.schema import SquadConfig
from squad.doctor.finding import Finding, fail, ok, warn
from squad.doctor.subject import Subject

_LIMIT = 5.0  # seconds that each may take


def exporters(subject: Subject) -> Finding | None:
    """None without exporters, and where the configuration says already why they could send nothing."""
    settings = subject.settings
    if not isinstance(settings, SquadConfig) or not settings.exporters or check_exporters(settings, os.environ):
        return None
    from squad.actors.exporting.receiver import Receiver

    away: list[str] = []
    barred: list[str] = []
    for name, exporter in settings.exporters.items():
        patience = min(_LIMIT, exporter.timeout)
        answer = Receiver(exporter.address, headers(exporter, os.environ), patience, settings.name, "").send([])
        if answer.kind in ("away", "barred"):
            (away if answer.kind == "away" else barred).append(f"{name}: {exporter.address}: {answer.why}")
    if barred:
        return fail(
            "; ".join(barred + away), "mend its address or its keys in the configuration; nothing is lost so far"
        )
    if away:
        return warn("; ".join(away), "start the receiver; what finishes until then is kept, and sent once it is there")
    return ok(f"{', '.join(settings.exporters)} {'take' if len(settings.exporters) > 1 else 'takes'} traces")
