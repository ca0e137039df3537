"""Metrics: counted while messages change, written beside them in the same transactions, folded as they age, and read
over any time.

``journal`` is what was counted and is not written yet, ``writing`` writes it, ``folding`` keeps it small, ``reading``
answers questions. A metric is described in ``squad.metrics``, what was recorded of it in ``summary``.
"""

from squad.store.metrics.histogram import Histogram
from squad.store.metrics.reading import Series, known, line, window
from squad.store.metrics.summary import Summary

__all__ = ["Histogram", "Series", "Summary", "known", "line", "window"]
