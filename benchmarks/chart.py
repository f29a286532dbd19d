"""The bars of ``results.svg`` and ``wide.svg``: records per second of each target, shape by shape."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cases import Result

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
  .shape { font-weight: 600; }
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


def draw(results: Sequence[Result], labels: dict[str, str], title: str, note: str) -> str:
    """Return the chart; in each shape the longest bar is the fastest program.

    A shape has its name above it, but not if it is the only one: the title says it then.
    """
    parts: list[str] = []
    y = TOP
    cases = dict.fromkeys(result.case for result in results)
    for case in cases:
        rows = [result for result in results if result.case == case]
        if len(cases) > 1:
            parts.append(f'<text class="shape" x="16" y="{y + 12}">{escape(case)}</text>')
            y += BAR + GAP
        fastest = max(result.whole / result.of_whole(result.spread[0]) for result in rows)
        for result in rows:
            parts += _bar(result, labels[result.program], (WIDTH - LEFT - RIGHT) / fastest, y)
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


def _bar(result: Result, label: str, scale: float, y: float) -> list[str]:
    shortest, longest = map(result.of_whole, result.spread)
    low, high = (LEFT + result.whole / seconds * scale for seconds in (longest, shortest))
    width, middle = max(1.0, result.speed * scale), y + BAR / 2
    kind = "bar ours" if result.program.startswith("ours") else "bar"
    return [
        f'<text class="small" x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
        f'<path class="spread" d="M{low:.1f} {middle}H{high:.1f}"/>',
        f'<text class="small" x="{high + 8:.1f}" y="{y + 12}">{result.speed:,.0f}</text>',
    ]
