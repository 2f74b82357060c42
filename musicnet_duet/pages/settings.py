"""Tables of settings, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicnet_duet.pages.html import Cell, Markup, Number, table

UNITS: Mapping[str, str] = {
    "fmax": "Hz",
    "fmin": "Hz",
    "gain_db": "dB",
    "hop_length": "samples",
    "memory_bytes": "bytes",
    "n_fft": "samples",
    "sample_rate": "Hz",
    "stride_frames": "frames",
    "win_length": "samples",
    "window_frames": "frames",
}
"""The units of settings that have one, by name."""


def settings_table(caption: str, values: Mapping[str, Any]) -> Markup:
    """A table of settings, in the order of their names."""
    rows: list[list[Cell]] = [
        [f"{name} ({UNITS[name]})" if name in UNITS else name, _cell(value)]
        for name, value in sorted(values.items())
    ]
    return table(caption, ["setting", "value"], rows)


def _cell(value: object) -> Cell:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return Number(f"{value:,}")
    if isinstance(value, tuple | list):
        return ", ".join(str(_cell(each)) for each in value)
    return str(value)
