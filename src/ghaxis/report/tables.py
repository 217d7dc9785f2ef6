"""Tables for a terminal: trials, scoreboards, lists. Text only; figures are elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from ghaxis.acceptance import Changed, Difference
from ghaxis.lookup import Known

_GOOD, _BAD = "green", "red"


def number(value: float | None, unit: str = "") -> str:
    """Three digits with a unit; "-" for none."""
    if value is None:
        return "-"
    text = f"{float(f'{value:.3g}'):.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"
    return text + (f" {unit}" if unit else "")


def shown(row: Mapping[str, Any], key: str) -> str:
    """A number of a scoreboard's row as people write it: with its unit, a relative change in percent."""
    value = row.get(key)
    if value is not None and row.get("form") == "relative":
        return f"{100 * value:+.3g} %"
    return number(value, row.get("unit", ""))


def findings(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """Prediction beside observation, one finding a row (the rows of a scoreboard); failures as plain as successes."""
    table = Table(title=title or None, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for name, justify in (
        ("finding", "left"),
        ("measure", "left"),
        ("kind", "left"),
        ("observed", "right"),
        ("predicted", "right"),
        ("error", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        passed = row.get("passed")
        error = row.get("error")
        verdict = "" if passed is None else f"[{_GOOD}]right[/]" if passed else f"[{_BAD}]wrong[/]"
        if row.get("direction_right") is False:
            verdict += f" [{_BAD}](direction)[/]"
        table.add_row(
            str(row["id"]),
            str(row["measure"]),
            str(row["kind"]),
            shown(row, "observed"),
            shown(row, "predicted"),
            number(error),
            verdict,
        )
    return table


def summary(scores: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row for each use of the evidence: how many, how right, and the mean error beside that of the noise between studies, of the
    shelf and of knowing nothing."""
    table = Table(title="Scoreboard", title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    columns = (
        "use",
        "findings",
        "studies",
        "within 0.25",
        "within 0.5",
        "within 1",
        "directions",
        "bias",
        "fold",
        "error",
        "noise",
        "shelf",
        "nothing",
        "skill",
    )
    for name in columns:
        table.add_column(name, justify="left" if name == "use" else "right")
    for use, s in scores.items():
        if not s.get("n"):
            continue
        keys = ("within_1_25", "within_1_5", "within_2", "directions", "bias", "aafe", "error", "noise", "shelf", "nothing", "skill")
        cells = [s.get(k) for k in keys]
        table.add_row(use, str(s.get("n")), str(s.get("studies", "")), *(number(c) if isinstance(c, int | float) else "-" for c in cells))
    constants, claims = scores.get("constants", {}), scores.get("claim", {})
    lines = []
    if claims.get("n"):
        lines.append(f"claims: {claims['passed']} of {claims['n']} findings that carry one are met")
    if constants.get("n"):
        rows = (f"{word} {constants[word]['passed']} of {constants[word]['n']} right" for word in ("independent", "stated"))
        lines.append("constants (numbers of the text, no outcomes): " + ", ".join(rows))
    if lines:
        table.caption, table.caption_justify = "\n".join(lines), "left"
    return table


def changes(changed: Difference, few: int = 12) -> list[str]:
    """What differs from the accepted scoreboard, a line each; none where nothing does."""

    def listed(title: str, rows: Sequence[Changed]) -> list[str]:
        shown_ = ", ".join(f"{c.name} {number(c.before)} to {number(c.after)}" for c in rows[:few])
        return [f"{title} ({len(rows)}): {shown_}{' ...' if len(rows) > few else ''}"] if rows else []

    lines = [] if changed.same_model else ["the model is not the accepted one"]
    for use, (before, after) in changed.mean.items():
        if f"{before:.3f}" != f"{after:.3f}":
            lines.append(f"{use} error, on what both scored: {before:.3f} to {after:.3f}")
    lines += listed("topics", [Changed(f"{c.name} ({c.use})", c.use, c.before, c.after) for c in changed.topics])
    lines += listed("worse", changed.worse) + listed("better", changed.better)
    for title, names in (("new", changed.new), ("gone", changed.gone), ("claims lost", changed.claims), ("use changed", changed.moved)):
        if names:
            lines.append(f"{title} ({len(names)}): {', '.join(names[:few])}{' ...' if len(names) > few else ''}")
    return lines


def known(rows: Sequence[Known], predicted: Mapping[str, Mapping[str, Any]]) -> Table:
    """What is known of a measure, one finding a row, with the model's prediction where there is one."""
    one = len({k.measure for k in rows}) == 1
    title = f"{rows[0].measure}: {len(rows)} findings" if one else None
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False, box=SIMPLE)
    heads = [
        "finding",
        *([] if one else ["measure"]),
        "in",
        "after",
        "reading",
        "n",
        "value",
        "spread",
        *(["model", "error"] if predicted else []),
    ]
    for name in (*heads, "citation", "use, seen"):
        table.add_column(
            name, justify="right" if name in ("n", "value", "model", "error") else "left", overflow="fold", no_wrap=name == "finding"
        )
    for k in rows:
        said = predicted.get(k.id, {})
        model = ["not run" if said.get("reason") else shown(said, "predicted"), number(said.get("error"))] if predicted else []
        who = [k.id, *([] if one else [k.measure]), k.state, k.given, k.of, str(k.n or ""), k.value, k.spread]
        table.add_row(*(Text(cell) for cell in (*who, *model, k.citation, f"{k.use}, {k.seen}")))
    return table


def skipped(rows: Sequence[Mapping[str, str]]) -> Table:
    """What could not be run, and why."""
    table = Table(title="Not run", title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for name in ("study", "finding", "reason"):
        table.add_column(name)
    for row in rows:
        table.add_row(row["study"], row["id"], row["reason"])
    return table


def settled(result: Any) -> Table:
    """The settled state behind a run: residual rates and implied causes."""
    table = Table(title="Settled state", title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for name in ("slow state", "% per 26 weeks", "SE", "kept by", "value", "usual", "z"):
        table.add_column(name, justify="left" if name in ("slow state", "kept by") else "right")
    causes = {i.state: i for i in result.implied.values()}
    for state, residual in result.residuals.items():
        cause = causes.get(state)
        table.add_row(
            state, f"{residual.rate:+.2f}", f"{residual.error:.2f}",
            cause.cause if cause else "(follows)" if state in result.following else "", number(cause.value) if cause else "",
            number(cause.usual) if cause else "", f"{cause.z:+.1f}" if cause and cause.z is not None else "",
        )  # fmt: skip
    return table


def listing(title: str, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> Table:
    """A plain list."""
    wide = min(len(title), 100)  # so that the title stays on one line
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False, min_width=wide)
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    return table


def defaults(knobs: Iterable[Any]) -> str:
    """What a state or an act may say (severities, parameters), as it is written, each at its default."""
    return ", ".join(f"{knob.name} = {knob.default}" for knob in knobs)
