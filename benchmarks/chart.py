"""Bars of records per second, in groups, as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH = 760
LEFT = 190
RIGHT = 150
TOP = 58
BAR = 16
GAP = 5
BETWEEN = 30

STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .group { font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .bar { fill: #9aa4af; }
  .ours { fill: #0969da; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .bar { fill: #656c76; }
    .ours { fill: #4493f8; }
    .spread { stroke: #e6edf3; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """A bar: its length, and from where to where its line goes."""

    label: str
    is_ours: bool
    speed: float
    lowest: float
    highest: float


def draw(groups: Mapping[str, Sequence[Bar]], title: str, note: str, *, one_scale: bool) -> str:
    """Return the chart; the longest bar of a group, or with one scale of all, has the full width.

    A group has its name above it, but not if it is the only one: the title says it then.
    """
    parts: list[str] = []
    y = TOP
    fastest = {name: max(bar.highest for bar in bars) for name, bars in groups.items()}
    for name, bars in groups.items():
        if len(groups) > 1:
            parts.append(f'<text class="group" x="16" y="{y + 12}">{escape(name)}</text>')
            y += BAR + GAP
        scale = (WIDTH - LEFT - RIGHT) / (max(fastest.values()) if one_scale else fastest[name])
        for bar in bars:
            parts += _bar(bar, scale, y)
            y += BAR + GAP
        y += BETWEEN - BAR
    size = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        f'<text class="small" x="16" y="44">{escape(note)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _bar(bar: Bar, scale: float, y: float) -> list[str]:
    low, high = LEFT + bar.lowest * scale, LEFT + bar.highest * scale
    width, middle = max(1.0, bar.speed * scale), y + BAR / 2
    kind, label = "bar ours" if bar.is_ours else "bar", escape(bar.label)
    return [
        f'<text class="small" x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{label}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
        f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>',
        f'<text class="small" x="{high + 8:.1f}" y="{y + 12}">{bar.speed:,.0f}</text>',
    ]
