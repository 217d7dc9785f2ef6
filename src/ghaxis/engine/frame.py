"""What Python and the compiled loop share: one table of addresses and numbers, and how emitted code reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ghaxis.engine.control import loop, only_if
from ghaxis.engine.values import Cells, Code, Shape, Value, cast, when, widen

# What Python hands over, in order: name and LLVM type. `rows` are arrays (n, lanes) of all states, n rounded up to a multiple of ROUND.
FRAME = (
    *((name, "double") for name in ("start", "end", "relative", "absolute", "largest")),
    *(
        (name, "i64")
        for name in ("people", "times_count", "edges_count", "first_time", "first_edge", "watched_count", "needed_count", "log_room")
    ),
    # one block of lanes
    *((name, "ptr") for name in ("y", "peak", "floor", "new", "inside", "stages")),  # rows; stages (s, n, lanes)
    *((name, "ptr") for name in ("p", "q", "ft", "J", "lu")),
    *((name, "ptr") for name in ("clock", "pointers")),  # CLOCK and POINTERS below, one vector each
    *((name, "ptr") for name in ("seen", "parts", "log")),  # seen, parts: one vector per watched symbol
    # shared by all blocks: a lane that is done takes the next of the people
    *((name, "ptr") for name in ("next", "levels", "given")),  # levels (people, states), given (people, parameters)
    *(
        (name, "ptr") for name in ("act_bounds", "act_time", "act_where", "act_value")
    ),  # breakpoints of all; where: state, or -1 - parameter
    *((name, "ptr") for name in ("times", "edges", "used", "needed", "watch")),  # used[k]: whether the span before edge k is in a window
    *((name, "ptr") for name in ("values", "sums")),  # (people, times, watched), (people, edges, watched); sums[k]: from edge k-1 to k
    *((name, "ptr") for name in ("final", "counts", "outcome")),  # (people, states), (people, 2), (people, 2): status and state
    ("stopped", "ptr"),  # (people,): when a failed one stopped
    ("exact", "ptr"),  # a row in double: levels as they are summed up, where `y` is what rates see of them
)
CLOCK = (
    *("now", "then", "step", "wish", "stop", "alive", "fresh", "kept", "was_rejected", "kept_step", "kept_error", "tries", "error"),
    *("accepted", "rejected", "next_time", "next_edge", "in_window", "at", "due", "instant", "stage_time", "g"),
)
POINTERS = ("person", "act", "act_end", "time_index", "edge_index")
TOO_SMALL, TOO_MANY, NOT_A_NUMBER = 1, 2, 3  # status of a failed lane
ROUND = 8  # rows are rounded up to this, so that one lane too fills registers
UNROLL = 4  # places that one turn of a walk over all states takes
WIDE = 8  # numbers at one place of a walk, where there is one lane


@dataclass(frozen=True, eq=False)
class Desk:
    """Access to the frame from a function being written (its first argument is `frame`)."""

    code: Code
    shape: Shape
    states: int

    @property
    def lanes(self) -> int:
        """Lanes of a block."""
        return self.shape.lanes

    @property
    def cells(self) -> Cells:
        """Arrays of what levels are."""
        return Cells(self.code, self.shape)

    @property
    def sums(self) -> str:
        """The row in which levels are summed up."""
        return "y" if self.shape == self.shape.exact else "exact"

    @property
    def rows(self) -> int:
        """Numbers in one array of all states."""
        return rounded(self.states) * self.lanes

    def field(self, name: str) -> Value:
        """An entry of the table."""
        index = [n for n, _ in FRAME].index(name)
        return self.code.load(self.code.at(self.code.argument("frame"), index, "i64"), dict(FRAME)[name])

    def set_field(self, name: str, value: Value) -> None:
        """Change an entry of the table."""
        index = [n for n, _ in FRAME].index(name)
        self.code.store(value, self.code.at(self.code.argument("frame"), index, "i64"))

    def clock(self, name: str) -> Value:
        """An entry of the clocks, in all lanes."""
        return Cells(self.code, self.shape.exact).load(self.clock_at(name))

    def clock_at(self, name: str, lane: Value | int = 0) -> Value:
        """Its address, of one lane."""
        return self.code.at(self.code.at(self.field("clock"), CLOCK.index(name) * self.lanes), lane)

    def keep(self, **values: Value | float) -> None:
        """Set entries of the clocks; a mask is kept as 1 and 0."""
        for name, value in values.items():
            made = value if isinstance(value, Value) else self.code.number(self.shape.exact.kind, value)
            if "i1" in made.type:
                made = when(made, 1.0, self.code.number(self.shape.exact.kind, 0.0))
            Cells(self.code, self.shape.exact).store(made, self.clock_at(name))

    def holds(self, name: str) -> Value:
        """An entry kept as 1 and 0, as a mask."""
        return self.clock(name) > 0.5

    def pointer_at(self, name: str, lane: Value | int = 0) -> Value:
        """The address of a lane's pointer."""
        return self.code.at(self.code.at(self.field("pointers"), POINTERS.index(name) * self.lanes, "i64"), lane, "i64")

    def level(self, spot: Value) -> Value:
        """One level of one lane, as it is summed up."""
        return self.code.load(self.code.at(self.field(self.sums), spot), "double")

    def set_level(self, value: Value, spot: Value) -> None:
        """Put it there, and what rates see of it."""
        if self.sums != "y":
            self.code.store(value, self.code.at(self.field(self.sums), spot))
        self.cells.write(value, self.field("y"), spot)

    @contextmanager
    def each(self, name: str) -> Iterator[Value]:
        """Every lane whose entry is 1."""
        with loop(self.code, self.shape.width) as lane, only_if(self.code.load(self.clock_at(name, lane), "double") > 0.5):
            yield lane


def rounded(states: int) -> int:
    """States in an array of all states: a multiple of ROUND, so that one lane too fills registers."""
    return -(-states // ROUND) * ROUND


@dataclass(frozen=True, eq=False)
class Walk:
    """Arrays of all states, walked as flat memory: by lane vectors, or several states at a time where there is one lane.

    `real` is what they hold, where it is not what levels are.
    """

    desk: Desk
    real: str = ""

    @property
    def flat(self) -> Shape:
        """The shape of what is read at one place."""
        return replace(self.desk.shape, lanes=WIDE if self.desk.lanes == 1 else self.desk.lanes, real=self.real or self.desk.shape.real)

    def get(self, base: Value, place: Value, offset: int = 0) -> Value:
        """What stands at a place of an array (that starts `offset` numbers on)."""
        cells = Cells(self.desk.code, self.flat)
        where = cells.at(base, place)
        return cells.load(where, offset) if offset else cells.load(where)

    def put(self, value: Value, base: Value, place: Value, offset: int = 0) -> None:
        """Write it there."""
        cells = Cells(self.desk.code, self.flat)
        where = cells.at(base, place)
        cells.store(value, cells.at(where, offset) if offset else where)

    def spread(self, value: Value) -> Value:
        """A value per lane (or a single one) as it stands beside a place."""
        return widen(cast(value, self.flat.real), self.flat.kind)

    @contextmanager
    def places(self, many: int = UNROLL) -> Iterator[list[Value]]:
        """All places, `many` at a turn (one, where a place is several states)."""
        many = 1 if self.desk.lanes == 1 else many
        with loop(self.desk.code, self.desk.rows, self.flat.lanes * many) as k:
            yield [k + i * self.flat.lanes for i in range(many)]
