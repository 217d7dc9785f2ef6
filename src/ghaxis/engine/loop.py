"""The whole integration of a block of lanes as LLVM IR: read beside plain.py, which it follows step by step.

Every lane has its own clock, step and breakpoint pointer; what differs between lanes is a vector, decisions are masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ghaxis.engine.control import forever, leave_unless, loop, only_if
from ghaxis.engine.emit import ModelCode
from ghaxis.engine.frame import NOT_A_NUMBER, ROUND, TOO_MANY, TOO_SMALL, Desk, Walk
from ghaxis.engine.functions import exp, log
from ghaxis.engine.methods import Method
from ghaxis.engine.plain import EMPTY, FAINT, GAUSS, LEAST, MOST, PATIENCE, SAFETY, SMALLEST, SNAP, TINY
from ghaxis.engine.values import Cells, Code, Value, any_lane, cast, fma, greatest, intrinsic, least, magnitude, when, widen


def combine(weights: Sequence[float], ks: Sequence[Value | None], start: Value | None = None) -> Value | None:
    """start + sum of weights x ks, without what is zero."""
    out = start
    for weight, k in zip(weights, ks, strict=False):
        if weight:
            assert k
            out = _more(out, weight, k)
    return out


def _more(sofar: Value | None, weight: float, k: Value) -> Value:
    if weight == 1.0:
        return sofar + k if sofar else k
    return fma(k, weight, sofar) if sofar else k * weight


@dataclass(frozen=True, eq=False)
class Loop:
    """Writes the integration of one model by one method, for blocks of one shape.

    `watch` is the function that works out what is watched: of this module by name, or (None) by its address in the frame.
    """

    model: ModelCode
    method: Method
    watch: str | None = None

    def functions(self) -> list[Code]:
        """Everything but the model's own functions; the one to call from outside is `integrate(frame)`."""
        return [self._act(), self._observe(), self._begin(), self._start(), self._integrate()]

    def _open(self, name: str, external: bool = False, more: tuple[tuple[str, str], ...] = ()) -> tuple[Code, Desk]:
        code = Code(name, [("frame", "ptr"), *more], external, self.model.fused)
        return code, Desk(code, self.model.shape, self._states)

    @property
    def _states(self) -> int:
        return len(self.model.layout.system.states)

    # people

    def _begin(self) -> Code:
        """begin(frame, lane): the next of the people takes this lane, from the start; with nobody left the lane is dead."""
        code, desk = self._open("begin", more=(("lane", "i64"),))
        lane = code.argument("lane")
        person = code.emit("i64", f"atomicrmw add ptr {desk.field('next').name}, i64 1 monotonic")
        code.store(person, desk.pointer_at("person", lane))
        for name in ("alive", "fresh"):
            code.store(code.number("double", 0.0), desk.clock_at(name, lane))
        with only_if(person < desk.field("people")):
            self._fill(desk, lane, person)
            bounds = code.at(desk.field("act_bounds"), person, "i64")
            first_time, first_edge = desk.field("first_time"), desk.field("first_edge")
            pointers = {"act": code.load(bounds, "i64"), "act_end": code.load(code.at(bounds, 1, "i64"), "i64")}
            for name, index in (pointers | {"time_index": first_time, "edge_index": first_edge}).items():
                code.store(index, desk.pointer_at(name, lane))
            start = desk.field("start")
            clocks: dict[str, Value] = dict.fromkeys(("now", "then"), start)
            clocks |= dict.fromkeys(("alive", "fresh", "step"), code.number("double", 1.0))
            zeros = ("was_rejected", "kept_step", "kept_error", "tries", "accepted", "rejected")
            clocks |= dict.fromkeys(zeros, code.number("double", 0.0))
            clocks["next_time"] = code.load(code.at(desk.field("times"), first_time), "double")
            clocks["next_edge"] = code.load(code.at(desk.field("edges"), first_edge), "double")
            clocks["in_window"] = code.load(code.at(desk.field("used"), first_edge), "double")
            for name, value in clocks.items():
                code.store(value, desk.clock_at(name, lane))
        return code

    def _fill(self, desk: Desk, lane: Value, person: Value) -> None:
        """A person's levels and parameters into a lane; nothing of whoever had it before is left."""
        code, zero = desk.code, desk.code.number("double", 0.0)
        peak, floor, new, stages = (desk.field(n) for n in ("peak", "floor", "new", "stages"))
        row, absolute = code.at(desk.field("levels"), person * self._states), desk.field("absolute")
        with loop(code, self._states) as i:
            level, spot = code.load(code.at(row, i), "double"), i * desk.lanes + lane
            desk.set_level(level, spot)
            desk.cells.write(level, new, spot)
            desk.cells.write(magnitude(level), peak, spot)
            desk.cells.write(fma(absolute, when(level.same(0.0), EMPTY, zero), TINY), floor, spot)
        with loop(code, self.method.stages * desk.rows, desk.lanes) as k:
            desk.cells.write(zero, stages, k + lane)
        count = len(self.model.layout.system.parameters)
        row, p = code.at(desk.field("given"), person * count), desk.field("p")
        with loop(code, code.number("i64", count)) as i:
            desk.cells.write(code.load(code.at(row, i), "double"), p, i * desk.lanes + lane)
        with loop(code, desk.field("watched_count")) as m:
            code.store(zero, code.at(desk.field("parts"), m * desk.lanes + lane))

    def _start(self) -> Code:
        """start(frame): in fresh lanes, what is seen at the start, then what happens then."""
        code, desk = self._open("start")
        code.call("hoist", desk.field("p"), desk.field("q"))
        desk.keep(kept=desk.clock("fresh"), then=desk.clock("now"))
        code.call("observe", code.argument("frame"))
        with desk.each("fresh") as lane:
            code.call("act", code.argument("frame"), lane)
        return code

    def _finish(self, desk: Desk, lane: Value) -> None:
        """Leave a person's last levels and counts behind, and let the next one in."""
        code = desk.code
        person = code.load(desk.pointer_at("person", lane), "i64")
        row = code.at(desk.field("final"), person * self._states)
        with loop(code, self._states) as i:
            code.store(desk.level(i * desk.lanes + lane), code.at(row, i))
        for k, name in enumerate(("accepted", "rejected")):
            code.store(code.load(desk.clock_at(name, lane), "double"), code.at(desk.field("counts"), person * 2 + k))
        code.call("begin", code.argument("frame"), lane)

    def _give_up(self, desk: Desk, lane: Value) -> None:
        """This person goes no further: note why, when, and the state whose error was worst (or first not a number)."""
        code = desk.code
        person = code.load(desk.pointer_at("person", lane), "i64")
        many = code.load(desk.clock_at("tries", lane), "double") > float(PATIENCE)
        outcome = code.at(desk.field("outcome"), person * 2, "i64")
        code.store(when(many, code.number("i64", TOO_MANY), code.number("i64", TOO_SMALL)), outcome)
        code.store(code.load(desk.clock_at("now", lane), "double"), code.at(desk.field("stopped"), person))
        stages, peak, floor = (desk.field(n) for n in ("stages", "peak", "floor"))
        worst = desk.clock_at("instant", lane)
        code.store(code.number("double", -1.0), worst)
        with loop(code, self._states) as i:
            spot = i * desk.lanes + lane
            ks = [desk.cells.read(desk.cells.at(stages, spot), r * desk.rows) for r in range(self.method.stages)]
            error = combine(self.method.e, ks)
            assert error
            scale = fma(desk.field("relative"), desk.cells.read(peak, spot), desk.cells.read(floor, spot))
            share, sofar = magnitude(error) / scale, code.load(worst, "double")
            with only_if(sofar.same(sofar) & ~(share <= sofar)):
                code.store(share, worst)
                code.store(i, code.at(outcome, 1, "i64"))
        with only_if(~(code.load(worst, "double") < math.inf)):
            code.store(code.number("i64", NOT_A_NUMBER), outcome)
        self._finish(desk, lane)

    # breakpoints

    def _act(self) -> Code:
        """act(frame, lane): what happens in this lane at its time `now`; then its next stop."""
        code, desk = self._open("act", more=(("lane", "i64"),))
        lane = code.argument("lane")
        now = code.load(desk.clock_at("now", lane), "double")
        place, last = desk.pointer_at("act", lane), code.load(desk.pointer_at("act_end", lane), "i64")
        times, wheres, amounts, p, peak = (desk.field(n) for n in ("act_time", "act_where", "act_value", "p", "peak"))
        code.store(desk.field("end"), desk.clock_at("stop", lane))
        with forever(code) as done:
            index = code.load(place, "i64")
            leave_unless(index < last, done)
            time = code.load(code.at(times, index), "double")
            code.store(time, desk.clock_at("stop", lane))
            leave_unless(time <= now, done)
            where, value = code.load(code.at(wheres, index, "i64"), "i64"), code.load(code.at(amounts, index), "double")
            with only_if(where < 0):
                desk.cells.write(value, p, (-1 - where) * desk.lanes + lane)
            with only_if(where >= 0):
                spot = where * desk.lanes + lane
                level = desk.level(spot) + value
                desk.set_level(level, spot)
                desk.cells.write(greatest(magnitude(level), desk.cells.read(peak, spot)), peak, spot)
            code.store(index + 1, place)
            code.store(desk.field("end"), desk.clock_at("stop", lane))
        return code

    # what is watched

    def _look(self, desk: Desk, instant: Value) -> None:
        """Work out all watched symbols at `instant` of the running step, into `seen`, in every lane."""
        code, method = desk.code, self.method
        x = cast((instant - desk.clock("now")) / desk.clock("step"), desk.shape.real)
        rest = 1.0 - x
        y, new, stages, inside, needed = (desk.field(n) for n in ("y", "new", "stages", "inside", "needed"))
        with loop(code, desk.field("needed_count")) as k:
            place = code.load(code.at(needed, k, "i64"), "i64") * desk.lanes
            ks = [desk.cells.load(desk.cells.at(stages, place), r * desk.rows) for r in range(method.stages)]
            first, second = (combine(row, ks) for row in method.dense)
            bend = fma(x, second, first) if second and first else first
            assert bend
            end = fma(rest, bend, desk.cells.load(new, place))
            level = fma(x, end, rest * desk.cells.load(y, place))
            desk.cells.store(level, inside, place)
        desk.keep(instant=instant)
        code.call(self.watch or desk.field("watch"), desk.clock_at("instant"), inside, *(desk.field(n) for n in ("p", "q", "seen")))

    def _observe(self) -> Code:
        """observe(frame): outputs at asked times, and integrals, within the steps kept just now (from `now` to `then`)."""
        code, desk = self._open("observe")
        count, seen = desk.field("watched_count"), desk.field("seen")
        kept, now, then = desk.holds("kept"), desk.clock("now"), desk.clock("then")
        with forever(code) as done:
            asked = desk.clock("next_time")
            due = kept & (asked <= then)
            leave_unless(any_lane(due), done)
            self._look(desk, when(due, asked, now))
            desk.keep(due=due)
            with desk.each("due") as lane:
                target, k = self._target(desk, "values", "time", lane)
                with loop(code, count) as m:
                    code.store(desk.cells.read(seen, m * desk.lanes + lane), code.at(target, m))
                self._advance(desk, lane, k, "time")
        desk.keep(at=now)
        with forever(code) as done:
            at, edge = desk.clock("at"), desk.clock("next_edge")
            to = least(edge, then)
            due = kept & (at < to)
            leave_unless(any_lane(due), done)
            desk.keep(due=due & edge.same(to))
            self._add_part(desk, at, to, due & desk.holds("in_window"))
            desk.keep(at=when(due, to, at))
            with desk.each("due") as lane:
                target, k = self._target(desk, "sums", "edge", lane)
                with loop(code, count) as m:
                    place = code.at(desk.field("parts"), m * desk.lanes + lane)
                    code.store(code.load(place, "double"), code.at(target, m))
                    code.store(code.number("double", 0.0), place)
                self._advance(desk, lane, k, "edge")
                code.store(code.load(code.at(desk.field("used"), k + 1), "double"), desk.clock_at("in_window", lane))
        return code

    def _add_part(self, desk: Desk, at: Value, to: Value, mask: Value) -> None:
        """Add the integral of all watched symbols from `at` to `to` where the mask holds."""
        code, exact = desk.code, Cells(desk.code, desk.shape.exact)
        with only_if(any_lane(mask)):
            span = when(mask, to - at, 0.0)
            for point in GAUSS:
                self._look(desk, fma(span, float(point), at))
                with loop(code, desk.field("watched_count")) as m:
                    place = code.at(desk.field("parts"), m * desk.lanes)
                    found = cast(desk.cells.load(desk.field("seen"), m * desk.lanes), "double")
                    sofar = exact.load(place)
                    exact.store(when(mask, fma(found, span * 0.5, sofar), sofar), place)

    def _target(self, desk: Desk, out: str, what: str, lane: Value) -> tuple[Value, Value]:
        """Where this lane's next row of `values` or `sums` goes, and which row it is."""
        code, count = desk.code, desk.field("watched_count")
        k = code.load(desk.pointer_at(f"{what}_index", lane), "i64")
        person = code.load(desk.pointer_at("person", lane), "i64")
        return code.at(desk.field(out), person * (desk.field(f"{what}s_count") * count) + k * count), k

    def _advance(self, desk: Desk, lane: Value, k: Value, what: str) -> None:
        """On to the next asked time or edge (the list ends with infinity)."""
        code = desk.code
        code.store(k + 1, desk.pointer_at(f"{what}_index", lane))
        code.store(code.load(code.at(desk.field(f"{what}s"), k + 1), "double"), desk.clock_at(f"next_{what}", lane))

    # the step

    def _attempt(self, desk: Desk) -> None:
        """One step in all lanes, slopes given: `new`, the stages, and the squared error norm in `error`."""
        code, method, walk = desk.code, self.method, Walk(desk)
        y, p, q, ft, J, lu, stages, inside = (desk.field(n) for n in ("y", "p", "q", "ft", "J", "lu", "stages", "inside"))
        now, h = desk.clock("now"), desk.clock("step")
        stage_time = desk.clock_at("stage_time")
        inverse = 1.0 / h
        desk.keep(g=inverse * (1.0 / method.gamma))
        code.call("factor", desk.clock_at("g"), J, lu)
        for i in range(method.stages):
            right = desk.cells.at(stages, i * desk.rows)
            if i:
                self._prepare(walk, i, y, inside, stages, inverse)
                desk.keep(stage_time=fma(h, method.alpha[i], now))
                code.call("rates", stage_time, inside, p, q, right)
            if method.gammas[i]:
                for e, state in enumerate(self.model.layout.explicit):
                    place = desk.cells.at(right, state * desk.lanes)
                    slope = self.model.get(code, ft, e) * cast(h * method.gammas[i], desk.shape.real)
                    desk.cells.store(desk.cells.load(place) + slope, place)
            code.call("solve", lu, right)
        self._judge_error(walk, stages, y, inside)

    def _prepare(self, walk: Walk, i: int, y: Value, inside: Value, stages: Value, inverse: Value) -> None:
        """For stage i > 0: the levels inside the step, and the coupling to earlier stages as the start of its right-hand side."""
        method, wide, rows = self.method, walk.spread(inverse), walk.desk.rows
        grows = i > 1 and method.a[i][: i - 1] == method.a[i - 1]  # then `inside` of the stage before is continued
        first = i - 1 if grows else 0
        with walk.places() as places:
            for at in places:
                ks = [walk.get(stages, at, r * rows) for r in range(i)]
                level = combine(method.a[i][first:], ks[first:], walk.get(inside if grows else y, at))
                coupling = combine(method.c[i], ks)
                assert level and coupling
                walk.put(level, inside, at)
                walk.put(coupling * wide, stages, at, i * rows)

    def _judge_error(self, walk: Walk, stages: Value, y: Value, inside: Value) -> None:
        """New levels, and the mean square of error / scale: added up in ROUND parts, so that every shape adds in one order."""
        desk, code, method = walk.desk, walk.desk.code, self.method
        new, peak, floor = (desk.field(n) for n in ("new", "peak", "floor"))
        relative, absolute = (walk.spread(desk.field(name)) for name in ("relative", "absolute"))
        last, one, wide = method.stages - 1, desk.lanes == 1, Cells(code, walk.flat)
        continued = method.m[:last] == method.a[last] and method.m[last] == 1.0  # then new = inside + the last stage
        sums = [desk.cells.at(desk.field("lu"), i * desk.lanes) for i in range(ROUND)]  # the factors are not needed any more
        for place in sums[: 1 if one else ROUND]:
            wide.store(code.number(walk.flat.kind, 0.0), place)
        used = [bool(e) or (bool(m) and not continued) or r == last for r, (m, e) in enumerate(zip(method.m, method.e, strict=True))]
        with walk.places(ROUND) as places:
            for at, total in zip(places, sums, strict=False):
                ks = [walk.get(stages, at, r * desk.rows) if used[r] else None for r in range(method.stages)]
                old = walk.get(y, at)
                level = combine((1.0,), ks[last:], walk.get(inside, at)) if continued else combine(method.m, ks, old)
                error = combine(method.e, ks)
                assert level and error
                walk.put(level, new, at)
                size = magnitude(level)
                larger = greatest(size, walk.get(peak, at))
                scale = fma(relative, greatest(size, magnitude(old)), fma(absolute, larger, walk.get(floor, at)))
                ratio = error / scale
                wide.store(fma(ratio, ratio, wide.load(total)), total)
        a = [cast(desk.cells.load(s), "double") for s in sums]
        desk.keep(error=(((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))) * (1.0 / self._states))

    def _first_step(self, desk: Desk) -> None:
        """The first wish of fresh lanes, from the rates (in the place of the first stage)."""
        code, exact = desk.code, Cells(desk.code, desk.shape.exact)
        relative, absolute = (widen(desk.field(name), exact.shape.kind) for name in ("relative", "absolute"))
        arrays = [desk.field(n) for n in ("y", "stages", "peak", "floor")]
        sums = [code.at(desk.field("lu"), i * desk.lanes) for i in range(2)]
        for place in sums:
            exact.store(code.number(exact.shape.kind, 0.0), place)
        with loop(code, self._states * desk.lanes, desk.lanes) as k:
            level, rate, peak, floor = (cast(desk.cells.load(base, k), "double") for base in arrays)
            scale = relative / fma(relative, peak, fma(absolute, peak, floor))
            for value, place in zip((level, rate), sums, strict=True):
                part = value * scale
                exact.store(fma(part, part, exact.load(place)), place)
        size, speed = (intrinsic("sqrt", exact.load(place) * (1.0 / self._states)) for place in sums)
        usual = (size > 1e-5) & (speed > 1e-5)
        wish = when(usual, size * 0.01 / speed, 1e-6)
        desk.keep(wish=when(desk.holds("fresh"), wish, desk.clock("wish")), fresh=0.0)

    # the loop

    def _integrate(self) -> Code:
        """integrate(frame): people from start to end, one to a lane, until nobody is left."""
        code, desk = self._open("integrate", external=True)
        frame = code.argument("frame")
        with loop(code, desk.shape.width) as lane:
            code.call("begin", frame, lane)
        code.call("start", frame)
        code.call("hoist", desk.field("p"), desk.field("q"))
        with forever(code) as done:
            alive = desk.holds("alive")
            leave_unless(any_lane(alive), done)
            desk.keep(stage_time=desk.clock("now"))
            code.call("slopes", desk.clock_at("stage_time"), *(desk.field(n) for n in ("y", "p", "q", "stages", "ft", "J")))
            with only_if(any_lane(desk.holds("fresh"))):
                self._first_step(desk)
            self._choose(desk, alive)
            self._attempt(desk)
            self._judge(desk, alive)
            self._settle(desk)
        return code

    def _choose(self, desk: Desk, alive: Value) -> None:
        """The size of the next step: as wished, or onto the stop, or half way to it."""
        gap = desk.clock("stop") - desk.clock("now")
        wish = least(desk.clock("wish"), widen(desk.field("largest"), desk.shape.exact.kind))
        h = when(wish >= gap * SNAP, gap, least(wish, gap * 0.5))
        desk.keep(step=when(alive, h, 1.0), wish=wish)

    def _judge(self, desk: Desk, alive: Value) -> None:
        """Keep or reject, and the next wish."""
        h, wish, now, stop = (desk.clock(n) for n in ("step", "wish", "now", "stop"))
        square = desk.clock("error")
        square = greatest(when(square < 1e16, square, 1e16), 1e-16)
        size = log(square) * (0.5 / self.method.order)
        factor = least(greatest(exp(-size) * SAFETY, LEAST), MOST)
        good = square <= 1.0
        kept, refused = alive & good, alive & ~good
        last_step, last_size = desk.clock("kept_step"), desk.clock("kept_error")
        trend = h / last_step * exp(last_size - size - size) * SAFETY
        foreseen = when(last_step > 0.0, greatest(least(factor, trend), LEAST), factor)
        grown = h * when(desk.holds("was_rejected"), least(foreseen, 1.0), foreseen)
        after = when(h >= wish * SAFETY, grown, greatest(grown, least(wish, grown * MOST)))
        then = when((stop - now).same(h), stop, now + h)
        self._log(desk, square, kept)
        counts = {name: desk.clock(name) + when(mask, 1.0, 0.0) for name, mask in (("accepted", kept), ("rejected", refused))}
        desk.keep(
            kept=kept,
            then=when(kept, then, now),
            wish=when(kept, after, when(refused, h * factor, wish)),
            was_rejected=refused,
            kept_step=when(kept, h, last_step),
            kept_error=when(kept, greatest(size, math.log(FAINT) / self.method.order), last_size),
            tries=desk.clock("tries") + 1.0,
            **counts,
        )

    def _log(self, desk: Desk, square: Value, kept: Value) -> None:
        """Note the attempt where there is room: time, size, norm, kept, who (one vector each; who is -1 in a dead lane)."""
        code, room = desk.code, desk.field("log_room")
        with only_if(room > 0):
            place = desk.field("log")
            with loop(code, desk.shape.width) as lane:
                person = code.emit("double", f"sitofp i64 {code.load(desk.pointer_at('person', lane), 'i64').name} to double")
                alive = code.load(desk.clock_at("alive", lane), "double") > 0.5
                code.store(when(alive, person, -1.0), code.at(code.at(place, 4 * desk.lanes), lane))
            noted = (desk.clock("now"), desk.clock("step"), intrinsic("sqrt", square), when(kept, 1.0, 0.0))
            for k, value in enumerate(noted):
                Cells(code, desk.shape.exact).store(value, place, k * desk.lanes)
            desk.set_field("log", code.at(place, (len(noted) + 1) * desk.lanes))
            desk.set_field("log_room", room - 1)

    def _settle(self, desk: Desk) -> None:
        """Read off kept steps, move on, act at stops, give up where there is no way."""
        code = desk.code
        kept = desk.holds("kept")
        with only_if(any_lane(kept)):
            code.call("observe", code.argument("frame"))
            self._move(Walk(desk))
        then = desk.clock("then")
        desk.keep(now=then)
        arrived = kept & (then >= desk.clock("stop"))
        smallest = greatest(magnitude(then), 1.0) * SMALLEST
        stuck = desk.holds("alive") & ~arrived & ((desk.clock("wish") < smallest) | (desk.clock("tries") > float(PATIENCE)))
        with only_if(any_lane(arrived | stuck)):
            frame = code.argument("frame")
            desk.keep(due=arrived, at=stuck, tries=when(arrived, 0.0, desk.clock("tries")))
            with desk.each("due") as lane:
                there = code.load(desk.clock_at("now", lane), "double") >= desk.field("end")
                with only_if(there):
                    self._finish(desk, lane)
                with only_if(~there):
                    code.call("act", frame, lane)
            with desk.each("at") as lane:
                self._give_up(desk, lane)
            with only_if(any_lane(desk.holds("fresh"))):
                code.call("start", frame)
            code.call("hoist", desk.field("p"), desk.field("q"))

    def _move(self, walk: Walk) -> None:
        """y = new and peak = max(peak, |new|) where the step was kept; where levels are floats, gains are summed up in double."""
        desk, method, exact = walk.desk, self.method, Walk(walk.desk, "double")
        y, new, peak, stages, sums = (desk.field(n) for n in ("y", "new", "peak", "stages", desk.sums))
        kept = walk.spread(desk.clock("kept")) > 0.5
        with walk.places() as places:
            for at in places:
                if desk.sums == "y":
                    level, old, largest = walk.get(new, at), walk.get(y, at), walk.get(peak, at)
                    walk.put(when(kept, level, old), y, at)
                    walk.put(when(kept, greatest(magnitude(level), largest), largest), peak, at)
                else:
                    gain = combine(method.m, [walk.get(stages, at, r * desk.rows) for r in range(method.stages)])
                    assert gain
                    total = exact.get(sums, at) + cast(when(kept, gain, 0.0), "double")
                    level = cast(total, walk.flat.real)
                    exact.put(total, sums, at)
                    walk.put(level, y, at)
                    walk.put(greatest(magnitude(level), walk.get(peak, at)), peak, at)
