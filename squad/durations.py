"""Durations and sizes as people write them: ``90s``, ``1h30m``, ``500MB``."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_duration(text: str | float) -> float:
    """Seconds from ``"10"``, ``10``, ``"10s"``, ``"1h30m"`` or ``"250ms"``. Raises ValueError for anything else."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a duration: write for example 30s, 5m or 1h30m")
    if isinstance(text, int | float):
        seconds = float(text)
    else:
        clean = text.strip().lower().replace(" ", "")
        if re.fullmatch(r"\d+(\.\d+)?", clean):
            seconds = float(clean)
        elif re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", clean):
            seconds = sum(float(n) * _SECONDS[u] for n, _, u in re.findall(r"(\d+(\.\d+)?)(ms|s|m|h|d)", clean))
        else:
            raise ValueError(f"{text!r} is not a duration: write for example 30s, 5m or 1h30m")
    if not 0 <= seconds < 1e10:
        raise ValueError(f"{text!r} is not a duration: it must be between 0 and about 300 years")
    return seconds


def format_duration(seconds: float) -> str:
    """The two largest units that say it: ``3m 20s``, ``1.2s``, ``45ms``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    parts = [(whole // 86400, "d"), (whole % 86400 // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    first = next((i for i, (n, _) in enumerate(parts) if n), len(parts) - 1)
    return " ".join(f"{n}{unit}" for n, unit in parts[first : first + 2] if n) or "0s"


def parse_size(text: str | int) -> int:
    """Bytes from ``1048576``, ``"1MiB"`` or ``"500 MB"``. Raises ValueError for anything else."""
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a size: write for example 500MB or 1MiB")
    if isinstance(text, int):
        size = text
    else:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b)?", text.strip().lower())
        if not match or match[2] in ("ib",):
            raise ValueError(f"{text!r} is not a size: write for example 500MB or 1MiB")
        size = int(float(match[1]) * _BYTES[match[2] or "b"])
    if size < 0:
        raise ValueError(f"{text!r} is not a size: it cannot be negative")
    return size


def format_size(size: float) -> str:
    """``1.5 MB``, in powers of ten as disks and networks are sold."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
