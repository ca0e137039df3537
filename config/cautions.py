"""What a configuration may say, and hardly means: warnings, beside the mistakes that keep a squad from starting."""

from __future__ import annotations

from squad.alerts import BUILT_IN
from squad.config.load import shown
from squad.config.schema import SquadConfig
from squad.errors import Problem


def cautions(config: SquadConfig) -> list[Problem]:
    """Alerts that never fire because no metrics are recorded: Squad's own in one warning, each of the users' in one."""
    alerts = config.alerts
    if config.metrics.enabled or not alerts.enabled:
        return []
    silent = [name for name, rule in BUILT_IN.items() if rule.metrics and name not in alerts.disabled]
    found = []
    if silent:
        what = f"no metrics are recorded, so these alerts never fire: {', '.join(silent)}"
        hint = "set metrics.enabled to true, or name them in alerts.disabled"
        found.append(Problem(_where(config, "metrics", "enabled"), what, hint))
    for name in alerts.rules:
        if name not in alerts.disabled:
            what = f"no metrics are recorded, so the alert {name} never fires"
            hint = "set metrics.enabled to true, or name it in alerts.disabled"
            found.append(Problem(_where(config, "alerts", "rules", name), what, hint))
    return found


def _where(config: SquadConfig, *place: str) -> str:
    line = config.line_of(*place)
    return f"{shown(config.source)}:{line}" if config.source and line else ".".join(place)
