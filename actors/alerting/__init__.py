"""Alerts: from readings (``facts``) by ``rules`` and memory (``tracking``) to changes of the store's incidents
(``telling``), in the monitor's process (``watch``). And the sinks that act, each an agent: ``webhook``, ``library``."""
