"""The wiring diagram: who reads what of whom, drawn in rows from cause to effect, feedback upwards in its own colour."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

Edge = tuple[str, str]
Pairs = Mapping[Edge, Sequence[str]]
Places = Mapping[str, tuple[float, float]]

_WIDEST = 4  # boxes in a row
_ROW_COST = 6.0  # names within a row that are worth a row more
_BOX_W, _BOX_H, _GAP, _RISE, _EDGE = 208, 66, 64, 74, 40
_INK, _MUTED, _DOWN, _UP, _FACE = "#1b2a33", "#52626c", "#0b5c7a", "#c8553d", "#f6f8fa"
_STYLE = f"""
  text {{ font-family: "DejaVu Sans", Verdana, sans-serif; fill: {_INK}; }}
  .name {{ font-size: 13px; font-weight: bold; }}
  .title {{ font-size: 9.5px; fill: {_MUTED}; }}
  .box {{ fill: {_FACE}; stroke: {_INK}; stroke-width: 1.1; }}
  .edge {{ fill: none; stroke-opacity: 0.5; }}
  .down {{ stroke: {_DOWN}; marker-end: url(#down); }}
  .up {{ stroke: {_UP}; marker-end: url(#up); }}
  .edge:hover {{ stroke-opacity: 1; stroke-width: 3.5; }}
"""


@dataclass(frozen=True)
class _Line:
    """One edge and the points it runs through; at each it goes straight down or up."""

    source: str
    target: str
    names: tuple[str, ...]
    points: tuple[tuple[float, float], ...]


def draw(titles: Mapping[str, str], pairs: Pairs) -> str:
    """The diagram as SVG. `titles` names the parts, `pairs` maps (from, to) to the names that are read.

    Pointing at a box lifts what goes out of it and into it; pointing at a line names what it carries.
    """
    rows = layers(list(titles), {pair: len(names) for pair, names in pairs.items()})
    place = _places(rows)
    width = 2 * _EDGE + _WIDEST * _BOX_W + (_WIDEST + 1) * _GAP
    height = 2 * _EDGE + len(rows) * _BOX_H + (len(rows) - 1) * _RISE + _RISE
    lines = _routes(rows, place, pairs)
    part = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>Wiring: who reads what of whom</title>",
        f"<style>{_STYLE}{''.join(_lifted(name) for name in titles)}</style>",
        f"<defs>{_head('down', _DOWN)}{_head('up', _UP)}</defs>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(_drawn(line) for line in lines),
        *(_box(name, titles[name], *place[name]) for row in rows for name in row),
        f'<text class="title" x="{_EDGE}" y="{height - 14}">A line carries what the lower end reads of the upper one (blue), or the upper '
        "end of the lower one (red: feedback). Thick lines carry many names.</text>",
        "</svg>",
    ]
    return "\n".join(part) + "\n"


def layers(names: Sequence[str], weights: Mapping[tuple[str, str], int]) -> list[list[str]]:
    """Rows from cause to effect: few names run against the order, few stay within a row, and neighbours stand near each other."""
    joined = {n for pair in weights for n in pair}
    order = _order(sorted(n for n in names if n in joined), weights)
    alone = sorted(n for n in names if n not in joined)
    rows = _cut(order, weights) + [alone[k : k + _WIDEST] for k in range(0, len(alone), _WIDEST)]
    for row in [*rows, *reversed(rows)] * 4:
        middle = {n: (k + 0.5) / len(r) for r in rows for k, n in enumerate(r)}
        near = {n: [middle[b if a == n else a] for (a, b) in weights if n in (a, b) and a != b] for n in row}
        row.sort(key=lambda n: (sum(near[n]) / len(near[n]) if near[n] else middle[n], n))
    return rows


def _order(names: list[str], weights: Mapping[tuple[str, str], int]) -> list[str]:
    """A line-up with little running against it: each name in turn moves to where that is least, while it helps (deterministic)."""

    def against(order: Sequence[str]) -> int:
        at = {n: k for k, n in enumerate(order)}
        return sum(w for (a, b), w in weights.items() if at[a] > at[b])

    def surplus(name: str) -> int:
        return sum(w * ((a == name) - (b == name)) for (a, b), w in weights.items())

    order = sorted(names, key=lambda n: (-surplus(n), n))
    best, moved = against(order), True
    while moved:
        moved = False
        for name in names:
            rest = [n for n in order if n != name]
            cost, k = min((against([*rest[:k], name, *rest[k:]]), k) for k in range(len(order)))
            if cost < best:
                best, moved, order = cost, True, [*rest[:k], name, *rest[k:]]
    return order


def _cut(order: Sequence[str], weights: Mapping[tuple[str, str], int]) -> list[list[str]]:
    """The line-up in rows of at most `_WIDEST` with the least between members of one row; another row costs as much as some names."""
    best: dict[int, tuple[float, list[list[str]]]] = {0: (0.0, [])}
    for end in range(1, len(order) + 1):
        options = []
        for start in range(max(0, end - _WIDEST), end):
            row = list(order[start:end])
            within = sum(w for (a, b), w in weights.items() if a in row and b in row)
            cost, before = best[start]
            options.append((cost + within + _ROW_COST, [*before, row]))
        best[end] = min(options, key=lambda option: option[0])
    return best[len(order)][1]


def _places(rows: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    """The upper left corner of each box."""
    whole = 2 * _EDGE + _WIDEST * _BOX_W + (_WIDEST + 1) * _GAP
    found: dict[str, tuple[float, float]] = {}
    for k, row in enumerate(rows):
        free = (whole - 2 * _EDGE - len(row) * _BOX_W) / (len(row) + 1)
        for j, name in enumerate(row):
            found[name] = (_EDGE + free * (j + 1) + j * _BOX_W, _EDGE + k * (_BOX_H + _RISE))
    return found


def _routes(rows: Sequence[Sequence[str]], place: Places, pairs: Pairs) -> list[_Line]:
    """Every edge with its way: out of a box, through the gaps of the rows between, into the other."""
    level = {name: k for k, row in enumerate(rows) for name in row}
    edges = sorted(pair for pair in pairs if pair[0] != pair[1] and pair[0] in level and pair[1] in level)
    edges.sort(key=lambda e: (_middle(e[0], place) + _middle(e[1], place), e))
    passed = {edge: _passed(edge, rows, level, place) for edge in edges}
    lanes = {gap: [e for e in edges if gap in passed[e]] for gap in {gap for gaps in passed.values() for gap in gaps}}
    ends: dict[tuple[str, str], list[Edge]] = {}  # (box, side) -> edges, in the order of where they come from
    for edge in edges:
        for name, other in (edge, edge[::-1]):
            ends.setdefault((name, "bottom" if level[other] >= level[name] else "top"), []).append(edge)
    for (name, _), found in ends.items():
        far = {e: _middle(e[0] if e[1] == name else e[1], place) for e in found}
        found.sort(key=lambda e, far=far: (far[e], e))  # type: ignore[misc]
    lines = []
    for edge in edges:
        points = [_port(edge[0], edge, ends, place)]
        for row, gap in passed[edge]:
            centre, wide = _gap(rows[row], place, gap)
            mine = lanes[row, gap]
            x = centre + (wide - 16) * ((mine.index(edge) + 1) / (len(mine) + 1) - 0.5)
            top = _EDGE + row * (_BOX_H + _RISE)
            points += [(x, top), (x, top + _BOX_H)] if level[edge[0]] < level[edge[1]] else [(x, top + _BOX_H), (x, top)]
        points.append(_port(edge[1], edge, ends, place))
        lines.append(_Line(*edge, tuple(pairs[edge]), tuple(points)))
    return lines


def _passed(edge: Edge, rows: Sequence[Sequence[str]], level: Mapping[str, int], place: Places) -> list[tuple[int, int]]:
    """The (row, gap) that an edge passes on its way: in every row between, the gap nearest to the straight line."""
    a, b = edge
    step = 1 if level[b] > level[a] else -1
    found = []
    for row in range(level[a] + step, level[b], step):
        share = (row - level[a]) / (level[b] - level[a])
        wanted = _middle(a, place) + share * (_middle(b, place) - _middle(a, place))
        away = [abs(_gap(rows[row], place, gap)[0] - wanted) for gap in range(len(rows[row]) + 1)]
        found.append((row, away.index(min(away))))
    return found


def _middle(name: str, place: Places) -> float:
    return place[name][0] + _BOX_W / 2


def _gap(row: Sequence[str], place: Places, g: int) -> tuple[float, float]:
    """Middle and width of the gap before the g-th box of a row (the last one is behind the last box)."""
    whole = 2 * _EDGE + _WIDEST * _BOX_W + (_WIDEST + 1) * _GAP
    left = place[row[g - 1]][0] + _BOX_W if g else _EDGE / 2
    right = place[row[g]][0] if g < len(row) else whole - _EDGE / 2
    return (left + right) / 2, right - left


def _port(name: str, edge: Edge, ends: Mapping[tuple[str, str], list[Edge]], place: Places) -> tuple[float, float]:
    side = next(s for s in ("bottom", "top") if edge in ends.get((name, s), ()))
    mine = ends[name, side]
    x, y = place[name]
    return x + _BOX_W * (mine.index(edge) + 1) / (len(mine) + 1), y + (_BOX_H if side == "bottom" else 0)


def _drawn(line: _Line) -> str:
    (x, y), *rest = line.points
    path = [f"M{x:.1f},{y:.1f}"]
    down = line.points[-1][1] >= y
    for px, py in rest:
        bend = max(abs(py - y) / 2, 30.0) * (1 if down else -1)
        if y == py:  # within a row: an arc below it
            path.append(f"C{x:.1f},{y + bend:.1f} {px:.1f},{py + bend:.1f} {px:.1f},{py:.1f}")
        elif x == px:
            path.append(f"L{px:.1f},{py:.1f}")
        else:
            path.append(f"C{x:.1f},{y + bend:.1f} {px:.1f},{py - bend:.1f} {px:.1f},{py:.1f}")
        x, y = px, py
    wide = 0.9 + 0.7 * math.log2(len(line.names))
    return (
        f'<path class="edge {"down" if down else "up"} from-{line.source} to-{line.target}" stroke-width="{wide:.2f}" d="{" ".join(path)}">'
        f"<title>{escape(line.source)} to {escape(line.target)}: {escape(', '.join(line.names))}</title></path>"
    )


def _box(name: str, title: str, x: float, y: float) -> str:
    words = textwrap.wrap(title.split(":")[0].rstrip("."), 38, max_lines=2, placeholder=" ...")
    text = "".join(f'<text class="title" x="{x + 10:.1f}" y="{y + 37 + 13 * k:.1f}">{escape(w)}</text>' for k, w in enumerate(words))
    return (
        f'<g id="part-{name}"><title>{escape(title)}</title>'
        f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{_BOX_W}" height="{_BOX_H}" rx="6"/>'
        f'<text class="name" x="{x + 10:.1f}" y="{y + 20:.1f}">{escape(name)}</text>{text}</g>'
    )


def _lifted(name: str) -> str:
    return f"  svg:has(#part-{name}:hover) :is(.from-{name}, .to-{name}) {{ stroke-opacity: 1; stroke-width: 2.6; }}\n"


def _head(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0,0.8 L8,4 L0,7.2 z" fill="{colour}"/></marker>'
    )
