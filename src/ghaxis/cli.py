"""The command line: a thin face over the same functions.

Every verb has --json; a user's mistake is one clear message, never a traceback.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from typer.exceptions import TyperException

from ghaxis import lookup, reading, units
from ghaxis.acceptance import Accepted
from ghaxis.errors import GhaxisError, InputError, LibraryError, Mistake, nearest
from ghaxis.keeping import Kept
from ghaxis.model import Model
from ghaxis.people import Person
from ghaxis.reading.records import Library, StudyRecord
from ghaxis.report import tables
from ghaxis.simulation import Request, Result, simulate_many
from ghaxis.treatment import Protocol, protocol_mistakes
from ghaxis.validation import Scoreboard
from ghaxis.validation import validate as score

_ABOUT = (
    "The somatotropic axis, executable. Research and education software, not a medical device: "
    "not for diagnosis, treatment, dosing or monitoring."
)
app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=_ABOUT)
_INTERRUPTED, _PIPED = 130, 160  # the exit code; columns of a table that no terminal limits
_out = Console(width=None if sys.stdout.isatty() else _PIPED)
_err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="print JSON only")]
Engine = Annotated[str, typer.Option(help="own, screening, referee or auto")]
Plot = Annotated[Path | None, typer.Option(help="write a figure (.png, .pdf, .svg)")]

_USES = ("calibration", "validation", "claim", "extra")
_FIGURES, _SAVED, _PAGES = (".png", ".pdf", ".svg"), (".parquet", ".nc", ".csv"), (".html",)
_PLURAL = {"study": "studies", "condition": "conditions", "therapy": "therapies", "intervention": "interventions"}
_KINDS = ("therapies", "conditions", "interventions", "days", "measures", "studies", "parts", "quantities")


def main() -> None:
    """Run the command line; exit code 0, 1 (checks failed), 2 (a mistake in what was asked), 130 (interrupted)."""
    try:
        code = app(standalone_mode=False)  # typer returns the code of an Exit, and 130 for an interruption, instead of raising them
    except LibraryError as error:
        for mistake in error.mistakes:
            _err.print(str(mistake), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except TyperException as error:  # an unknown verb or option, a missing argument
        _err.print(f"ghaxis: {error.format_message()}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except (GhaxisError, OSError) as error:
        _err.print(f"ghaxis: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    if code == _INTERRUPTED:
        _err.print("interrupted; no file was left half written, and the same command goes on with what was done")
    sys.exit(code or 0)


@contextmanager
def _progress(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that shows up when the work is slow; nothing in JSON mode or when nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counted]}"), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True, disable=quiet or not _err.is_terminal) as bar:
        task = bar.add_task(what, total=None, counted="")
        yield lambda done, total: bar.update(task, completed=done, total=total, counted=f"{done}/{total}")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n")


def _person(state: str, sex: str, age: str, bmi: str | None, weight: str | None, height: str | None, given: list[str]) -> Person:
    """Bare numbers are allowed here for age (years) and BMI (kg/m2), where nobody could mean another unit."""

    def plain(text: str | None, unit: str, what: str) -> str | None:
        return f"{text} {unit}" if text is not None and not units.split(text, what)[1] else text

    extra = dict(_assignment(text) for text in given)
    return Person(
        state,
        sex=sex,
        age=plain(age, "years", "age") or "40 years",
        bmi=plain(bmi, "kg/m**2", "bmi"),
        weight=weight,
        height=height,
        given=extra,
    )


def _assignment(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise InputError(f"'{text}': write a descriptor as NAME=VALUE, like VAT='4 kg'")
    return name.strip(), value.strip()


@app.command()
def run(
    state: Annotated[str, typer.Argument(help='e.g. "masld(steatosis = 20 percent) + t2d"')] = "healthy",
    sex: str = "M",
    age: str = "40",
    bmi: str | None = None,
    weight: str | None = None,
    height: str | None = None,
    given: Annotated[list[str] | None, typer.Option(help="a descriptor, NAME=VALUE; may be repeated")] = None,
    give: Annotated[str, typer.Option(help='e.g. "tesamorelin 2 mg sc daily at 08:00"')] = "nothing",
    until: str = "24 h",
    every: str | None = None,
    watch: Annotated[str, typer.Option(help="quantities, comma separated")] = "",
    begin: str = "08:00",
    seed: Annotated[int, typer.Option(help="noise tape; -1 for none")] = 0,
    engine: Engine = "auto",
    plot: Plot = None,
    save: Annotated[Path | None, typer.Option(help=".parquet, .nc or .csv")] = None,
    as_json: Json = False,
) -> None:
    """Simulate one person."""
    from ghaxis.report import figures

    model = Model.load()
    person, protocol = _person(state, sex, age, bmi, weight, height, given or []), Protocol.parse(give)
    end = _positive(until, "--until")
    _writable(plot, _FIGURES, "--plot")
    _writable(save, _SAVED, "--save")
    kind = figures.panel_kind(end)
    names = tuple(dict.fromkeys([*_names(watch), *(figures.watch_for(kind) if plot or not watch else ())]))
    step = _positive(every or (figures.every_for(kind) if plot else "1 h" if kind == "day" else "24 h"), "--every")
    times = tuple(float(k * step) for k in range(int(end / step + 1e-9) + 1))
    times = times if abs(times[-1] - end) < 1e-6 else (*times, end)
    with _progress("settling and simulating", as_json) as progress:
        result = simulate_many(model, [Request(person, protocol, times, names, begin, noise=None if seed < 0 else seed)], engine, progress)[
            0
        ]
    if save:
        result.save(save)
    if plot:
        figures.save(figures.person({"": result}, f"{person}: {protocol}"), plot)
    if as_json:
        _print_json(_run_json(result))
        return
    assert result.settled
    _out.print(tables.settled(result.settled))
    rows = [(n, f"{c.values[0]:.4g}", f"{c.values[-1]:.4g}", f"{c.mean(0.0, end):.4g}", c.unit) for n in names for c in (result[n],)]
    _out.print(tables.listing(f"{person}: {protocol}", rows, ("quantity", "start", "end", "mean", "unit")))
    for path in filter(None, (plot, save)):
        _out.print(f"wrote {path}")


def _positive(text: str, what: str) -> float:
    hours = units.hours(text, what)
    if not hours > 0:
        raise InputError(f"{what} = '{text}': it must be more than nothing")
    return hours


def _writable(path: Path | None, endings: tuple[str, ...], what: str) -> None:
    """Refuse before the work what could not be written after it."""
    if path and path.suffix not in endings:
        raise InputError(f"{what} {path}: the ending must be one of {', '.join(endings)}")
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)


def _run_json(result: Result) -> dict[str, Any]:
    watched = {n: {"unit": result[n].unit, "values": [float(v) for v in result[n].values]} for n in result.names}
    return {"times": [float(t) for t in result.times], "time_unit": "hours", "watched": watched, "provenance": dict(result.provenance)}


@app.command()
def trial(
    study: Annotated[str, typer.Argument(help="a study's name, or a study file")],
    people: Annotated[int, typer.Option(help="virtual persons in each group, each in every arm")] = 8,
    seed: int = 0,
    engine: Engine = "auto",
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Run a published trial as a virtual trial: prediction beside observation."""
    _writable(plot, _FIGURES, "--plot")
    model = Model.load()
    board = _scored(model, [study], None, people, seed, engine, as_json)
    if plot:
        from ghaxis.report import figures

        figures.save(figures.study(board.rows(), f"{study}: {people} virtual persons in each group"), plot)
    _print_board(board, as_json, f"{study}: {people} virtual persons in each group", plot)


@app.command()
def validate(
    names: Annotated[
        list[str] | None, typer.Argument(help="studies by name, study files, or folders of them; all if none is given")
    ] = None,
    use: Annotated[str | None, typer.Option(help="calibration, validation, claim or extra")] = None,
    people: Annotated[int, typer.Option(help="virtual persons in each group (1: the typical person)")] = 1,
    seed: int = 0,
    engine: Engine = "auto",
    plot: Annotated[Path | None, typer.Option(help="write a figure (.png, .pdf, .svg): of the studies named, else an overview")] = None,
    html: Annotated[Path | None, typer.Option(help="write one self-contained page (.html)")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="keep this as the accepted scoreboard (library/scoreboard.json)")] = False,
    because: Annotated[str, typer.Option(help="with --accept: why it may be worse; the same words stand in CHANGELOG.md")] = "",
    as_json: Json = False,
) -> None:
    """Score the model: every finding, prediction beside observation; of the whole library, what has changed since it was accepted."""
    whole = not names and use is None and people == 1 and seed == 0
    if accept and not whole:
        raise InputError(
            "--accept keeps the score of the whole library for the typical person: no names, --use, --people or --seed beside it"
        )
    if because and not accept:
        raise InputError("--because goes with --accept")
    _writable(plot, _FIGURES, "--plot")
    _writable(html, _PAGES, "--html")
    model = Model.load()
    board = _scored(model, names or [], use, people, seed, engine, as_json)
    accepted = Accepted.of(model.library)
    changes = accepted.difference(board, model) if whole and accepted.values else None
    if plot:
        from ghaxis.report import figures

        figures.save(figures.study(board.rows(), "Predicted and observed") if names else figures.overview(board), plot)
    if html:
        from ghaxis.report import page

        page.write(board, model.library, html, model.hash[:12], tables.changes(changes) if changes else ())
    _print_board(board, as_json, "", plot, html)
    if changes is not None and not as_json:
        for line in tables.changes(changes) or ["nothing has changed since the accepted scoreboard"]:
            _out.print(line, highlight=False, markup=False, soft_wrap=True)
    if accept:
        accepted.accept(board, model, because)
        if not as_json:
            _out.print(f"accepted: {accepted.path}", highlight=False, soft_wrap=True)


def _scored(model: Model, names: list[str], use: str | None, people: int, seed: int, engine: str, quiet: bool) -> Scoreboard:
    if use is not None and use not in _USES:
        hint = nearest(use, _USES)
        raise InputError(f"--use {use}: it is one of {', '.join(_USES)}" + (f"; did you mean '{hint}'?" if hint else ""))
    if people < 1:
        raise InputError(f"--people {people}: at least one person")
    with Kept() as keep, _progress("settling and simulating", quiet) as progress:
        return score(model, names, use=use, people=people, seed=seed, engine=engine, progress=progress, keep=keep)


def _print_board(board: Scoreboard, as_json: bool, title: str, *wrote: Path | None) -> None:
    if as_json:
        _print_json(board.json())
        return
    summary, extra = board.summary(), sum(v.finding.study.use == "extra" for v in board.verdicts)
    if board.verdicts:
        _out.print(tables.findings(board.rows(), title))
    if board.skipped:
        _out.print(tables.skipped(board.json()["skipped"]))
    if any(part["n"] for part in summary.values()):
        _out.print(tables.summary(summary))
    if extra:
        _out.print(f"{extra} findings of extra studies, counted in no summary", highlight=False)
    for path in filter(None, wrote):
        _out.print(f"wrote {path}")


@app.command()
def evidence(
    measure: Annotated[str, typer.Argument(help="a measure, or a quantity with all its measures (see `ghaxis list measures`)")],
    condition: Annotated[str | None, typer.Option(help='in people with this condition; "healthy" for none')] = None,
    intervention: Annotated[str | None, typer.Option(help="after this therapy or intervention")] = None,
    predict: Annotated[bool, typer.Option("--predict", help="put the model's prediction beside it")] = False,
    engine: Engine = "auto",
    as_json: Json = False,
) -> None:
    """List what is known of a measure: every published number with its study, and the model's beside it where asked."""
    import dataclasses

    library = reading.read_library()
    found = lookup.known(library, measure, condition, intervention)
    said: dict[str, dict[str, Any]] = {}
    if predict and found:
        board = _scored(Model.load(library), sorted({k.study for k in found}), None, 1, 0, engine, as_json)
        said = {row["id"]: row for row in board.rows()}
        said |= {s.id: {"reason": s.reason} for s in board.skipped if s.id}
    if as_json:
        keys = ("predicted", "unit", "error", "passed", "reason")
        _print_json([dataclasses.asdict(k) | ({key: said[k.id].get(key) for key in keys} if k.id in said else {}) for k in found])
        return
    _out.print(tables.known(found, said) if found else f"nothing is known of {measure} there")


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help=", ".join(_KINDS))] = "therapies",
    word: Annotated[str, typer.Argument(help="only what has this word in its name or meaning")] = "",
    as_json: Json = False,
) -> None:
    """List what the library holds."""
    if kind not in _KINDS:
        hint = nearest(kind, _KINDS)
        raise InputError(f"cannot list '{kind}'" + (f"; did you mean '{hint}'?" if hint else f"; there are {', '.join(_KINDS)}"))
    library = reading.read_library()
    rows: list[tuple[str, str, str]]
    if kind == "quantities":
        model = Model.load()
        rows = [(n, model.shown(n), d.meaning) for n, d in sorted(model.definitions.items()) if d.kind in ("state", "rule", "species")]
    elif kind == "parts":
        rows = [(n, ", ".join(f.offers), f.title) for n, f in library.fragments.items()]
    elif kind == "therapies":
        rows = [(n, f"{', '.join(t.routes)}; {t.status}", t.title) for n, t in library.therapies.items()]
    elif kind == "conditions":
        rows = [(n, tables.defaults(c.severities.values()), c.title) for n, c in library.conditions.items()]
    elif kind == "interventions":
        rows = [(n, tables.defaults(i.parameters.values()), i.title) for n, i in library.interventions.items()]
    elif kind == "studies":
        rows = [(n, s.use, s.citation) for n, s in library.studies.items()]
    elif kind == "measures":
        rows = [(n, m.unit, m.meaning) for n, m in library.measures.items()]
    else:
        rows = [(n, "", r.title) for n, r in getattr(library, kind).items()]
    rows = [row for row in rows if word.lower() in " ".join(row).lower()]
    if as_json:
        _print_json([{"name": a, "detail": b, "title": c} for a, b, c in rows])
    else:
        _out.print(tables.listing(kind, rows, ("name", "", "")))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="any quantity or number of the model, a study, or a finding")], as_json: Json = False
) -> None:
    """Meaning, unit, value, spread, equation, who uses it, source and the studies behind it; of a study, what rests on it."""
    import dataclasses

    model = Model.load(therapies=tuple(reading.read_library().therapies))
    if not lookup.is_quantity(model, name):
        told = lookup.tell(model, name)
        _print_json(dataclasses.asdict(told)) if as_json else _out.print(str(told), highlight=False, markup=False, soft_wrap=True)
        return
    explanation = model.explain(name)
    studies = lookup.backing(model.library, explanation.source)
    if as_json:
        _print_json({**dataclasses.asdict(explanation), "studies": [dataclasses.asdict(study) for study in studies]})
        return
    _out.print(str(explanation), highlight=False, markup=False)
    for study in studies:
        _out.print("  " + str(study).replace("\n", "\n  "), highlight=False, markup=False, soft_wrap=True)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="files by name, or study files (folders of them) from outside; the whole library if none")
    ] = None,
    references: Annotated[bool, typer.Option("--references", help="compute the reference man again, and compare (a minute)")] = False,
    as_json: Json = False,
) -> None:
    """List every mistake in the library's text: file, line, what is wrong, the nearest right word."""
    known = {path.stem for path in reading.packaged_root().rglob("*") if path.suffix in (".ant", ".toml")}
    names = [file for name in names or [] for file in (_studies_in(Path(name)) if Path(name).is_dir() and name not in known else [name])]
    outside = [Path(n) for n in names if n.endswith(".toml") and Path(n).is_file()]
    library = reading.read_library(studies=outside)
    for name in names:
        if Path(name) not in outside and Path(name).stem not in known:
            hint = nearest(Path(name).stem, known)
            raise InputError(f"no file '{name}' here or in the library" + (f"; did you mean '{hint}'?" if hint else ""))
    wanted = [n if Path(n) not in outside else Path(n).stem for n in names]
    mistakes = {*reading.check(library, wanted), *protocol_mistakes(_asked(library, wanted), library)}
    if not names:
        mistakes.update(_assembled(library))
    if references:
        from ghaxis.references import mistakes as unlike

        mistakes.update(unlike(Model.load(library)))
    found = sorted(mistakes, key=lambda m: (m.place, m.what))
    errors = [m for m in found if m.severity == "error"]
    if as_json:
        _print_json(
            [{"file": m.place.file, "line": m.place.line, "what": m.what, "nearest": m.nearest, "severity": m.severity} for m in found]
        )
    else:
        for m in found:
            _out.print(str(m), style="red" if m.severity == "error" else "yellow", highlight=False, markup=False, soft_wrap=True)
        _out.print(f"{len(errors)} errors, {len(found) - len(errors)} warnings in {', '.join(names) or _counted(library)}", highlight=False)
    if errors:
        raise typer.Exit(1)


def _studies_in(folder: Path) -> list[str]:
    """The study files of a folder. Raises InputError where there is none."""
    found = sorted(map(str, folder.glob("*.toml")))
    if not found:
        raise InputError(f"no study file (.toml) in the folder '{folder}'")
    return found


def _asked(library: Library, names: list[str]) -> list[StudyRecord]:
    """The studies in files of the given names; all of them where none is given."""
    stems = {name.removesuffix(".toml") for name in names}
    return [study for study in library.studies.values() if not stems or Path(study.place.file).stem in stems]


def _assembled(library: Library) -> list[Mistake]:
    """What is wrong with the whole model; where it cannot be assembled, why."""
    try:
        return Model.load(library, therapies=tuple(library.therapies)).check()
    except LibraryError as error:
        return list(error.mistakes)


def _counted(library: Library) -> str:
    kinds = ("fragments", "therapies", "conditions", "interventions", "days", "measures", "studies")
    return ", ".join(f"{len(getattr(library, k))} {k}" for k in kinds)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="study, condition, therapy or intervention")],
    name: Annotated[str, typer.Argument(help="its name, which is also the file's")],
    folder: Annotated[Path, typer.Option(help="where to write it")] = Path("."),
    as_json: Json = False,
) -> None:
    """Write a commented start for a new library file."""
    templates = {p.stem: p for p in (reading.packaged_root() / "new").iterdir()}
    if kind not in templates:
        hint = nearest(kind, templates)
        raise InputError(
            f"cannot start a '{kind}'" + (f"; did you mean '{hint}'?" if hint else f"; there are {', '.join(sorted(templates))}")
        )
    if not name.isidentifier() or name != name.lower():
        raise InputError(f"'{name}': a name is lower-case letters, digits and _, and starts with a letter")
    target = folder / f"{name}{templates[kind].suffix}"
    if target.exists():
        raise InputError(f"{target} is already there; nothing was changed")
    if name in getattr(reading.read_library(), _PLURAL[kind]):
        raise InputError(f"the library has a {kind} '{name}' already; give yours another name")
    target.write_text(templates[kind].read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    _print_json({"wrote": str(target)}) if as_json else _out.print(f"wrote {target}")


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="the SBML file to write (.xml); with --kernel a folder")],
    therapies: Annotated[str, typer.Option(help="therapies to include, comma separated")] = "",
    kernel: Annotated[bool, typer.Option("--kernel", help="compile it for browsers (WebAssembly) and NVIDIA processors (PTX)")] = False,
    watch: Annotated[str, typer.Option(help="quantities that the kernel gives, comma separated")] = "",
    give: Annotated[str, typer.Option(help="what the kernel's first person takes")] = "nothing",
    as_json: Json = False,
) -> None:
    """Write the model as SBML L3V2 that passes libSBML's consistency and unit checks, or as a folder of compiled code."""
    model = Model.load(therapies=_names(therapies))
    if kernel:
        _export_kernel(model, path, _names(watch), give, as_json)
        return
    if watch or give != "nothing":
        raise InputError("--watch and --give belong to --kernel: an SBML file has every quantity, and nobody in it")
    model.export(path)
    _print_json({"wrote": str(path), "model": model.hash}) if as_json else _out.print(
        f"wrote {path} ({len(model.states)} states, hash {model.hash[:12]})"
    )


def _names(text: str) -> tuple[str, ...]:
    """Names that were given comma separated, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _export_kernel(model: Model, folder: Path, watch: tuple[str, ...], give: str, as_json: bool) -> None:
    from ghaxis.elsewhere import write_kernel
    from ghaxis.report import figures

    times = tuple(k / 12 for k in range(24 * 12 + 1))
    written = write_kernel(model, Request(Person(), Protocol.parse(give), times, watch or figures.watch_for("day")), folder)
    _print_json({"wrote": [str(p) for p in written]}) if as_json else _out.print(f"wrote {len(written)} files to {folder}")


@app.command()
def pages(folder: Annotated[Path, typer.Argument(help="where to write them")] = Path("docs/model"), as_json: Json = False) -> None:
    """Write the generated reference pages: mechanisms, numbers with their sources, assumed and fitted numbers, wiring diagram."""
    from ghaxis.report.pages import write

    written = write(Model.load(), folder)
    _print_json({"wrote": [str(p) for p in written]}) if as_json else _out.print(f"wrote {len(written)} pages to {folder}")


@app.callback(invoke_without_command=True)
def _front(about: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if about:
        _out.print(version("ghaxis"))
        raise typer.Exit
