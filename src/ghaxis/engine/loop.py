"""The whole integration of a block of lanes as LLVM IR: read beside plain.py, which it follows step by step.

Every lane has its own clock, step and breakpoint pointer; what differs between lanes is a vector, decisions are masks. Python gives one
table of addresses and numbers (FRAME) and reads arrays afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ghaxis.engine.emit import ModelCode
from ghaxis.engine.methods import Method
from ghaxis.engine.plain import FAINT, GAUSS, LEAST, MOST, PATIENCE, SAFETY, SMALLEST, SNAP
from ghaxis.engine.values import Code, Shape, Value

# What Python hands over, in order: name and LLVM type. `rows` are arrays (n, lanes) of all states, n rounded up to a multiple of 8.
FRAME = (
    *((name, "double") for name in ("start", "end", "relative", "absolute", "largest")),
    *((name, "i64") for name in ("times_count", "edges_count", "watched_count", "needed_count", "log_room")),
    *((name, "ptr") for name in ("y", "peak", "floor", "new", "inside", "f", "stages")),  # rows; stages (s, n, lanes)
    *((name, "ptr") for name in ("p", "q", "ft", "J", "lu")),
    *((name, "ptr") for name in ("clock", "pointers")),  # CLOCK and POINTERS below, one vector each
    *((name, "ptr") for name in ("act_time", "act_where", "act_value")),  # breakpoints of all lanes; where >= 0 state, else parameter -1 - where
    *((name, "ptr") for name in ("times", "edges", "used")),  # used[k]: whether the span before edge k belongs to a window
    *((name, "ptr") for name in ("needed", "watch", "seen", "parts")),  # seen, parts: one vector per watched symbol
    *((name, "ptr") for name in ("values", "sums")),  # by lane: (times, watched), (edges, watched); sums[k]: integral between edges k-1 and k
    *((name, "ptr") for name in ("status", "failed_levels", "failed_errors", "log")),
)
CLOCK = (
    *("now", "then", "step", "wish", "stop", "alive", "kept", "was_rejected", "tries", "error", "accepted", "rejected"),
    *("kept_step", "kept_error"),
    *("next_time", "next_edge", "in_window", "at", "due", "instant", "stage_time", "g"),
)
POINTERS = ("act", "act_end", "time_index", "edge_index")
TOO_SMALL, TOO_MANY = 1, 2  # status of a failed lane
ROUND = 8  # rows are rounded up to this, so that one lane too fills registers

_WIDE = 8


@dataclass(eq=False)
class Writer:
    """The integration function being written, for one model, method and shape."""

    model: ModelCode
    method: Method

    @property
    def shape(self) -> Shape:
        return self.model.shape

    @property
    def lanes(self) -> int:
        return self.shape.lanes

    @property
    def rows(self) -> int:
        """Numbers in one array of all states."""
        n = len(self.model.layout.system.states)
        return -(-n // ROUND) * ROUND * self.lanes

    @property
    def flat(self) -> Shape:
        """The shape in which arrays of all states are walked."""
        return Shape(_WIDE) if self.lanes == 1 else self.shape

    def functions(self) -> list[Code]:
        """Everything but the model's functions."""
        return [self.act(), self.observe(), self.integrate()]

    # reading the frame

    def open(self, name: str, external: bool = False, more: tuple[tuple[str, str], ...] = ()) -> Code:
        return Code(name, [("frame", "ptr"), *more], external, self.model.fused)

    def field(self, code: Code, name: str) -> Value:
        index = [n for n, _ in FRAME].index(name)
        return code.load(code.at(code.argument("frame"), index, "i64"), dict(FRAME)[name])

    def clock(self, code: Code, name: str) -> Value:
        return code.load(self.clock_at(code, name), self.shape.of("double"), self.model.align)

    def clock_at(self, code: Code, name: str, lane: Value | int = 0) -> Value:
        base = code.at(self.field(code, "clock"), CLOCK.index(name) * self.lanes)
        return code.at(base, lane)

    def keep(self, code: Code, **values: Value) -> None:
        for name, value in values.items():
            code.store(value, self.clock_at(code, name), self.model.align)

    def pointer_at(self, code: Code, name: str, lane: Value) -> Value:
        return code.at(code.at(self.field(code, "pointers"), POINTERS.index(name) * self.lanes, "i64"), lane, "i64")

    def spread(self, code: Code, value: Value) -> Value:
        """A lane vector (or number) as the flat walk needs it."""
        return code.widen(value, self.flat.of("double"))

    def walk(self, code: Code, base: Value, index: Value, offset: int = 0) -> Value:
        where = code.at(base, index)
        return code.load(code.at(where, offset) if offset else where, self.flat.of("double"), 8 * self.flat.lanes)

    def drop(self, code: Code, value: Value, base: Value, index: Value, offset: int = 0) -> None:
        where = code.at(base, index)
        code.store(value, code.at(where, offset) if offset else where, 8 * self.flat.lanes)

    def number(self, code: Code, value: float) -> Value:
        return code.number(self.shape.of("double"), value)

    def holds(self, name: str, code: Code) -> Value:
        """A clock entry that is 1 or 0, as a mask."""
        return self.clock(code, name) > 0.5

    def as_number(self, code: Code, mask: Value) -> Value:
        return code.when(mask, 1.0, self.number(code, 0.0))

    # breakpoints

    def act(self) -> Code:
        """act(frame, lane): what happens in this lane at its time `now`; then its next stop."""
        code = self.open("act", more=(("lane", "i64"),))
        lane = code.argument("lane")
        now = code.load(self.clock_at(code, "now", lane), "double")
        place, last = self.pointer_at(code, "act", lane), code.load(self.pointer_at(code, "act_end", lane), "i64")
        times, wheres, amounts = (self.field(code, n) for n in ("act_time", "act_where", "act_value"))
        y, p, peak = (self.field(code, n) for n in ("y", "p", "peak"))
        code.store(self.field(code, "end"), self.clock_at(code, "stop", lane))
        with code.forever() as done:
            index = code.load(place, "i64")
            code.leave_unless(index < last, done)
            time = code.load(code.at(times, index), "double")
            code.store(time, self.clock_at(code, "stop", lane))
            code.leave_unless(time <= now, done)
            where, value = code.load(code.at(wheres, index, "i64"), "i64"), code.load(code.at(amounts, index), "double")
            with code.only_if(where < 0):
                code.store(value, code.at(p, (-1 - where) * self.lanes + lane))
            with code.only_if(where >= 0):
                spot = where * self.lanes + lane
                level = code.load(code.at(y, spot), "double") + value
                code.store(level, code.at(y, spot))
                code.store(code.greatest(code.load(code.at(peak, spot), "double"), code.size(level)), code.at(peak, spot))
            code.store(index + 1, place)
            code.store(self.field(code, "end"), self.clock_at(code, "stop", lane))
        return code

    # what is watched

    def look(self, code: Code, instant: Value) -> None:
        """Work out all watched symbols at `instant` of the running step, into `seen`, in every lane."""
        x = (instant - self.clock(code, "now")) / self.clock(code, "step")
        rest = 1.0 - x
        y, new, stages, inside = (self.field(code, n) for n in ("y", "new", "stages", "inside"))
        needed, kind, align = self.field(code, "needed"), self.shape.of("double"), self.model.align
        with code.loop(self.field(code, "needed_count")) as k:
            place = code.load(code.at(needed, k, "i64"), "i64") * self.lanes
            ks = [code.load(code.at(code.at(stages, place), r * self.rows), kind, align) for r in range(self.method.stages)]
            first, second = (self.combine(code, row, ks) for row in self.method.dense)
            bend = code.fma(x, second, first) if second else first
            assert bend
            end = code.fma(rest, bend, code.load(code.at(new, place), kind, align))
            level = code.fma(x, end, rest * code.load(code.at(y, place), kind, align))
            code.store(level, code.at(inside, place), align)
        self.keep(code, instant=instant)
        code.call(self.field(code, "watch"), self.clock_at(code, "instant"), inside, *(self.field(code, n) for n in ("p", "q", "seen")))

    def combine(self, code: Code, row: tuple[float, ...], ks: list[Value], start: Value | None = None) -> Value | None:
        """start + sum of row x ks, without what is zero."""
        out = start
        for weight, k in zip(row, ks, strict=False):
            if weight:
                out = (k if weight == 1.0 else k * weight) if out is None else (out + k if weight == 1.0 else code.fma(k, weight, out))
        return out

    def observe(self) -> Code:
        """observe(frame): outputs at asked times, and integrals, within the steps kept just now (from `now` to `then`)."""
        code = self.open("observe")
        count, seen, lanes = self.field(code, "watched_count"), self.field(code, "seen"), self.lanes
        kept, now, then = self.holds("kept", code), self.clock(code, "now"), self.clock(code, "then")
        with code.forever() as done:
            asked = self.clock(code, "next_time")
            due = kept & (asked <= then)
            code.leave_unless(code.any(due), done)
            self.look(code, code.when(due, asked, now))
            self.keep(code, due=self.as_number(code, due))
            with self.each(code, "due") as lane:
                target, k = self.target(code, "values", "time", lane)
                with code.loop(count) as m:
                    code.store(code.load(code.at(seen, m * lanes + lane), "double"), code.at(target, m))
                self.advance(code, lane, k, "time")
        self.keep(code, at=now)
        with code.forever() as done:
            at, edge = self.clock(code, "at"), self.clock(code, "next_edge")
            to = code.least(edge, then)
            due = kept & (at < to)
            code.leave_unless(code.any(due), done)
            self.keep(code, due=self.as_number(code, due & edge.same(to)))
            self.integrate_part(code, at, to, due & self.holds("in_window", code))
            self.keep(code, at=code.when(due, to, at))
            with self.each(code, "due") as lane:
                target, k = self.target(code, "sums", "edge", lane)
                with code.loop(count) as m:
                    place = code.at(self.field(code, "parts"), m * lanes + lane)
                    code.store(code.load(place, "double"), code.at(target, m))
                    code.store(code.number("double", 0.0), place)
                self.advance(code, lane, k, "edge")
                code.store(code.load(code.at(self.field(code, "used"), k + 1), "double"), self.clock_at(code, "in_window", lane))
        return code

    def integrate_part(self, code: Code, at: Value, to: Value, mask: Value) -> None:
        """Add the integral of all watched symbols from `at` to `to` where the mask holds."""
        with code.only_if(code.any(mask)):
            span = code.when(mask, to - at, 0.0)
            for point in GAUSS:
                self.look(code, code.fma(span, float(point), at))
                with code.loop(self.field(code, "watched_count")) as m:
                    kind, align = self.shape.of("double"), self.model.align
                    place = code.at(self.field(code, "parts"), m * self.lanes)
                    found = code.load(code.at(self.field(code, "seen"), m * self.lanes), kind, align)
                    sofar = code.load(place, kind, align)
                    code.store(code.when(mask, code.fma(found, span * 0.5, sofar), sofar), place, align)

    @contextmanager
    def each(self, code: Code, name: str) -> Iterator[Value]:
        """Every lane whose clock entry is 1."""
        with code.loop(self.lanes) as lane, code.only_if(code.load(self.clock_at(code, name, lane), "double") > 0.5):
            yield lane

    def target(self, code: Code, out: str, what: str, lane: Value) -> tuple[Value, Value]:
        """Where this lane's next row of `values` or `sums` goes, and which row it is."""
        count = self.field(code, "watched_count")
        k = code.load(self.pointer_at(code, f"{what}_index", lane), "i64")
        return code.at(self.field(code, out), lane * (self.field(code, f"{what}s_count") * count) + k * count), k

    def advance(self, code: Code, lane: Value, k: Value, what: str) -> None:
        """On to the next asked time or edge (the list ends with infinity)."""
        code.store(k + 1, self.pointer_at(code, f"{what}_index", lane))
        code.store(code.load(code.at(self.field(code, f"{what}s"), k + 1), "double"), self.clock_at(code, f"next_{what}", lane))

    # the step

    def attempt(self, code: Code) -> None:
        """One step in all lanes: `new`, the stages, and the squared error norm in `error`."""
        names = ("y", "p", "q", "f", "ft", "J", "lu", "stages", "inside", "new", "peak", "floor")
        y, p, q, f, ft, J, lu, stages, inside, new, peak, floor = (self.field(code, n) for n in names)
        method, now, h = self.method, self.clock(code, "now"), self.clock(code, "step")
        stage_time, g = self.clock_at(code, "stage_time"), self.clock_at(code, "g")
        inverse = 1.0 / h
        self.keep(code, g=inverse * (1.0 / method.gamma), stage_time=now)
        code.call("slopes", stage_time, y, p, q, f, ft, J)
        code.call("factor", g, J, lu)
        wide = self.spread(code, inverse)
        width, flat = self.flat.lanes, self.flat.of("double")
        for i in range(method.stages):
            if i:
                grows = i > 1 and method.a[i][: i - 1] == method.a[i - 1]
                with code.loop(self.rows, width) as k:
                    row = method.a[i][i - 1 :] if grows else method.a[i]
                    first = i - 1 if grows else 0
                    ks = [self.walk(code, stages, k, (first + r) * self.rows) if a else y for r, a in enumerate(row)]
                    level = self.combine(code, row, ks, self.walk(code, inside if grows else y, k))
                    assert level
                    self.drop(code, level, inside, k)
                if any(method.a[i]):
                    self.keep(code, stage_time=code.fma(h, method.alpha[i], now))
                    code.call("rates", stage_time, inside, p, q, f)
            with code.loop(self.rows, width) as k:
                ks = [self.walk(code, stages, k, r * self.rows) for r in range(i)]
                coupling = self.combine(code, method.c[i], ks)
                right = self.walk(code, f, k)
                self.drop(code, code.fma(coupling, wide, right) if coupling else right, stages, k, i * self.rows)
            if method.gammas[i]:
                for e, state in enumerate(self.model.layout.explicit):
                    place = code.at(stages, i * self.rows + state * self.lanes)
                    slope = self.model.get(code, ft, e) * (h * method.gammas[i])
                    code.store(code.load(place, self.shape.of("double"), self.model.align) + slope, place, self.model.align)
            code.call("solve", lu, code.at(stages, i * self.rows))
        self.norm(code, stages, y, new, inside, peak, floor, flat)

    def norm(self, code: Code, stages: Value, y: Value, new: Value, inside: Value, peak: Value, floor: Value, flat: str) -> None:
        """New levels, and the mean square of error / scale: added up in ROUND parts, so that every shape adds in one order."""
        method, n = self.method, len(self.model.layout.system.states)
        relative, absolute = (code.widen(self.field(code, name), flat) for name in ("relative", "absolute"))
        last = method.stages - 1
        stiffly = method.m[:last] == method.a[last] and method.m[last] == 1.0  # then `inside` is nearly the new level already
        parts = 1 if self.lanes == 1 else ROUND
        sums = [code.at(self.field(code, "lu"), i * self.lanes) for i in range(ROUND)]  # the factors are not needed any more
        zero = code.number(flat, 0.0)
        for i in range(parts):
            code.store(zero, sums[i], 8 * self.flat.lanes)
        with code.loop(self.rows, self.flat.lanes * parts) as k:
            for i in range(parts):
                at = k + i * self.flat.lanes
                ks = [self.walk(code, stages, at, r * self.rows) if m or e else y for r, (m, e) in enumerate(zip(method.m, method.e, strict=True))]
                level = self.walk(code, inside, at) + ks[last] if stiffly else self.combine(code, method.m, ks, self.walk(code, y, at))
                error = self.combine(code, method.e, ks)
                assert level and error
                self.drop(code, level, new, at)
                size = code.size(level)
                larger = code.greatest(size, self.walk(code, peak, at))
                here = code.greatest(size, code.size(self.walk(code, y, at)))
                ratio = error / code.fma(relative, here, code.fma(absolute, larger, self.walk(code, floor, at)))
                sofar = code.load(sums[i], flat, 8 * self.flat.lanes)
                code.store(code.fma(ratio, ratio, sofar), sums[i], 8 * self.flat.lanes)
        a = [code.load(s, self.shape.of("double"), self.model.align) for s in sums]
        total = ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))
        self.keep(code, error=total * (1.0 / n))

    def first_step(self, code: Code) -> None:
        """The first wish of every lane, from `f` at the start."""
        n, kind = len(self.model.layout.system.states), self.shape.of("double")
        relative, absolute = (code.widen(self.field(code, name), kind) for name in ("relative", "absolute"))
        here = {name: self.field(code, name) for name in ("y", "f", "peak", "floor")}
        sums = [code.at(self.field(code, "lu"), i * self.lanes) for i in range(2)]
        for place in sums:
            code.store(self.number(code, 0.0), place, self.model.align)
        with code.loop(n * self.lanes, self.lanes) as k:
            level, rate, peak, floor = (code.load(code.at(base, k), kind, self.model.align) for base in here.values())
            scale = relative / code.fma(relative, peak, code.fma(absolute, peak, floor))
            for value, place in zip((level, rate), sums, strict=True):
                part = value * scale
                code.store(code.fma(part, part, code.load(place, kind, self.model.align)), place, self.model.align)
        size, speed = (code.intrinsic("sqrt", code.load(place, kind, self.model.align) * (1.0 / n)) for place in sums)
        usual = (size > 1e-5) & (speed > 1e-5)
        self.keep(code, wish=code.when(usual, size * 0.01 / speed, 1e-6))

    # the loop

    def integrate(self) -> Code:
        """integrate(frame): all lanes from start to end."""
        code = self.open("integrate", external=True)
        fresh = dict.fromkeys(("was_rejected", "tries", "accepted", "rejected"), self.number(code, 0.0))
        start = code.widen(self.field(code, "start"), self.shape.of("double"))
        one = self.number(code, 1.0)
        self.keep(code, now=start, then=start, stage_time=start, step=one, kept=one, alive=one, **fresh)
        places = [self.field(code, name) for name in ("p", "q")]
        code.call("hoist", *places)
        code.call("observe", code.argument("frame"))
        with code.loop(self.lanes) as lane:
            code.call("act", code.argument("frame"), lane)
        code.call("hoist", *places)
        names = ("y", "p", "q", "f", "ft", "J")
        code.call("slopes", self.clock_at(code, "stage_time"), *(self.field(code, n) for n in names))
        self.first_step(code)
        with code.forever() as done:
            alive = self.holds("alive", code)
            code.leave_unless(code.any(alive), done)
            self.choose(code, alive)
            self.attempt(code)
            self.judge(code, alive)
            self.settle(code)
        return code

    def choose(self, code: Code, alive: Value) -> None:
        """The size of the next step: as wished, or onto the stop, or half way to it."""
        gap = self.clock(code, "stop") - self.clock(code, "now")
        wish = code.least(self.clock(code, "wish"), code.widen(self.field(code, "largest"), self.shape.of("double")))
        h = code.when(wish >= gap * SNAP, gap, code.least(wish, gap * 0.5))
        self.keep(code, step=code.when(alive, h, 1.0), wish=wish)

    def judge(self, code: Code, alive: Value) -> None:
        """Keep or reject, and the next wish."""
        h, wish, now, stop = (self.clock(code, n) for n in ("step", "wish", "now", "stop"))
        square = self.clock(code, "error")
        square = code.greatest(code.when(square < 1e16, square, 1e16), 1e-16)
        error = code.log(square) * (0.5 / self.method.order)
        factor = code.least(code.greatest(code.exp(-error) * SAFETY, LEAST), MOST)
        good = square <= 1.0
        kept, refused = alive & good, alive & ~good
        last_step, last_error = self.clock(code, "kept_step"), self.clock(code, "kept_error")
        trend = h / last_step * code.exp(last_error - error - error) * SAFETY
        foreseen = code.when(last_step > 0.0, code.greatest(code.least(factor, trend), LEAST), factor)
        calm = code.when(self.holds("was_rejected", code), code.least(foreseen, 1.0), foreseen)
        grown = h * calm
        clipped = code.greatest(grown, code.least(wish, grown * MOST))
        after = code.when(h >= wish * SAFETY, grown, clipped)
        then = code.when((stop - now).same(h), stop, now + h)
        self.log(code, square, kept)
        self.keep(
            code,
            kept=self.as_number(code, kept),
            then=code.when(kept, then, now),
            wish=code.when(kept, after, code.when(refused, h * factor, wish)),
            was_rejected=self.as_number(code, refused),
            kept_step=code.when(kept, h, last_step),
            kept_error=code.when(kept, code.greatest(error, math.log(FAINT) / self.method.order), last_error),
            tries=self.clock(code, "tries") + 1.0,
            accepted=self.clock(code, "accepted") + self.as_number(code, kept),
            rejected=self.clock(code, "rejected") + self.as_number(code, refused),
        )

    def log(self, code: Code, square: Value, kept: Value) -> None:
        """Note the attempt where there is room: time, size, norm, kept (one vector each)."""
        room = self.field(code, "log_room")
        with code.only_if(room > 0):
            place = self.field(code, "log")
            for k, value in enumerate((self.clock(code, "now"), self.clock(code, "step"), code.intrinsic("sqrt", square), self.as_number(code, kept))):
                code.store(value, code.at(place, k * self.lanes), self.model.align)
            frame, names = code.argument("frame"), [n for n, _ in FRAME]
            code.store(code.at(place, 4 * self.lanes), code.at(frame, names.index("log"), "i64"))
            code.store(room - 1, code.at(frame, names.index("log_room"), "i64"))

    def settle(self, code: Code) -> None:
        """Read off kept steps, move on, act at stops, give up where there is no way."""
        kept = self.holds("kept", code)
        with code.only_if(code.any(kept)):
            code.call("observe", code.argument("frame"))
            self.move(code)
        then = self.clock(code, "then")
        self.keep(code, now=then)
        alive = self.holds("alive", code)
        arrived = kept & (then >= self.clock(code, "stop"))
        smallest = code.greatest(code.size(then), 1.0) * SMALLEST
        stuck = alive & ~arrived & ((self.clock(code, "wish") < smallest) | (self.clock(code, "tries") > float(PATIENCE)))
        with code.only_if(code.any(arrived | stuck)):
            self.keep(code, due=self.as_number(code, arrived), at=self.as_number(code, stuck))
            self.keep(code, tries=code.when(arrived, 0.0, self.clock(code, "tries")))
            with self.each(code, "due") as lane:
                there = code.load(self.clock_at(code, "now", lane), "double") >= self.field(code, "end")
                with code.only_if(there):
                    code.store(code.number("double", 0.0), self.clock_at(code, "alive", lane))
                with code.only_if(~there):
                    code.call("act", code.argument("frame"), lane)
            with self.each(code, "at") as lane:
                self.give_up(code, lane)
            code.call("hoist", self.field(code, "p"), self.field(code, "q"))

    def move(self, code: Code) -> None:
        """y = new and peak = max(peak, |new|) where the step was kept."""
        y, new, peak = (self.field(code, n) for n in ("y", "new", "peak"))
        kept = self.spread(code, self.clock(code, "kept")) > 0.5
        with code.loop(self.rows, self.flat.lanes) as k:
            level, old, largest = self.walk(code, new, k), self.walk(code, y, k), self.walk(code, peak, k)
            self.drop(code, code.when(kept, level, old), y, k)
            self.drop(code, code.when(kept, code.greatest(code.size(level), largest), largest), peak, k)

    def give_up(self, code: Code, lane: Value) -> None:
        """Stop this lane; leave behind its last good levels and the error that could not be brought down."""
        many = code.load(self.clock_at(code, "tries", lane), "double") > float(PATIENCE)
        status = code.when(many, code.number("i64", TOO_MANY), code.number("i64", TOO_SMALL))
        code.store(status, code.at(self.field(code, "status"), lane, "i64"))
        code.store(code.number("double", 0.0), self.clock_at(code, "alive", lane))
        y, stages = self.field(code, "y"), self.field(code, "stages")
        levels, errors = self.field(code, "failed_levels"), self.field(code, "failed_errors")
        with code.loop(self.rows, self.lanes) as k:
            spot = k + lane
            ks = [code.load(code.at(code.at(stages, spot), r * self.rows), "double") for r in range(self.method.stages)]
            error = self.combine(code, self.method.e, ks)
            assert error
            code.store(code.load(code.at(y, spot), "double"), code.at(levels, spot))
            code.store(error, code.at(errors, spot))
