"""Figures as short as they can be said, for columns of a terminal."""

from __future__ import annotations

from squad.cli.ages import short


def milliseconds(value: float | None) -> str:
    """``16µs``, ``0.4ms``, ``12ms``, ``1.2s``, ``3m``: at most five characters below a hundred days; "" for None."""
    if value is None:
        return ""
    if 0 < value < 0.0995:
        return f"{value * 1000:.0f}µs"
    if value < 9.95:
        return f"{value:.1f}ms"
    if value < 999.5:
        return f"{value:.0f}ms"
    if value < 9950:
        return f"{value / 1000:.1f}s"
    return short(value / 1000)


def per_second(rate: float | None) -> str:
    """``0``, ``0.3``, ``152``, ``12.4k``: messages a second; "" for None."""
    if rate is None:
        return ""
    if rate >= 9950:
        return f"{rate / 1000:.1f}k"
    return f"{rate:.0f}" if rate >= 9.95 or rate == 0 else f"{rate:.1f}"


def megabytes(size: float | None) -> str:
    """``41M``, ``1.2G``: as short as it can be said."""
    if size is None:
        return ""
    return f"{size / 1e6:.0f}M" if size < 9.995e8 else f"{size / 1e9:.1f}G"


def of_unit(value: float | None, unit: str) -> str:
    """A value of a metric with its unit (see squad.metrics), such as ``12ms``, ``41M``, ``34%``; "" for None."""
    if value is None:
        return ""
    if unit == "milliseconds":
        return milliseconds(value)
    if unit == "seconds":
        return milliseconds(value * 1000)
    if unit == "bytes":
        return megabytes(value)
    if unit.startswith("percent"):
        return f"{value:.1f}%" if 0 < abs(value) < 99.95 else f"{value:.0f}%"
    return plain(value)


def plain(value: float) -> str:
    """A number with three digits or as many as it has before the point: ``0.04``, ``12.5``, ``1,204``."""
    size = abs(value)
    if value == int(value) or size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return f"{value:.3g}" if size < 0.9995 else f"{value:.2f}"
