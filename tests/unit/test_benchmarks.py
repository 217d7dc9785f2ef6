"""The pure parts of the benchmarks: curves at equal error, and counts of operations. Nothing here looks at a clock."""

from pathlib import Path

import numpy as np
import pytest
from tiny_model import library

from benchmarks.counting import flops, instructions, operations, turns, work
from benchmarks.curves import cost_at, frontier, largest_error, relative_error
from benchmarks.emitted import Emitted
from benchmarks.limit import counted, step_text
from benchmarks.peers import spans
from benchmarks.summary import medians, ratios
from ghaxis.engine import Batch, Breaks
from ghaxis.engine.emit import Layout
from ghaxis.engine.expressions import read_system
from ghaxis.engine.graph import evaluator
from ghaxis.model import Model

TEXT = """declare double @llvm.fma.f64(double, double, double)
define internal void @inner(ptr noalias %a) #0 {
entry:
  %v1 = load double, ptr %a, align 8
  %v2 = fmul double %v1, %v1
  %v3 = call double @llvm.fma.f64(double %v2, double %v1, double %v1)
  store double %v3, ptr %a, align 8
  ret void
}
define void @outer(ptr noalias %a) #0 {
entry:
  br label %body1
body1:
  %i1 = phi i64 [ 0, %entry ], [ %j1, %body1 ]
  %v4 = getelementptr double, ptr %a, i64 %i1
  %v5 = load <8 x double>, ptr %v4, align 64
  %v6 = fadd <8 x double> %v5, %v5
  call void @inner(ptr %a)
  %j1 = add i64 %i1, 8
  %v7 = icmp slt i64 %j1, 24
  br i1 %v7, label %body1, label %after1
after1:
  %v8 = fdiv double 0x3FF0000000000000, 0x4000000000000000
  ret void
}
"""
ASSEMBLY = """\t.text
\t.globl\touter
outer:                                  # @outer
\tvmovupd\t(%rdi), %zmm0
.LBB0_1:                                # =>
\tvfmadd213pd\t%zmm1, %zmm0, %zmm0
\taddq\t$8, %rax
\tjl\t.LBB0_1
\tretq
.Lfunc_end0:
\t.size\touter, .Lfunc_end0-outer
other:
\tje\t.LBB1_2
\tvaddsd\t%xmm0, %xmm0, %xmm0
.LBB1_2:
\tretq
"""


def test_the_frontier_leaves_out_what_another_point_beats() -> None:
    points = [(1e-2, 1.0), (2e-2, 2.0), (1e-3, 3.0), (1e-4, 9.0), (5e-4, 10.0), (float("nan"), 0.1)]
    assert frontier(points) == [(1e-2, 1.0), (1e-3, 3.0), (1e-4, 9.0)]


def test_cost_at_an_error_follows_a_power_law_exactly() -> None:
    points = [(10.0**-k, 5.0 * 10.0 ** (k / 4)) for k in range(2, 9, 2)]
    assert cost_at(points, 3e-5) == pytest.approx(5.0 * 3e-5**-0.25)
    assert cost_at(points, 1e-6) == pytest.approx(5.0 * 10**1.5)


def test_cost_beyond_the_least_accurate_run_is_that_run_and_beyond_the_most_accurate_is_unknown() -> None:
    points = [(1e-2, 1.0), (1e-4, 4.0)]
    assert cost_at(points, 0.5) == 1.0
    assert cost_at(points, 1e-5) is None
    assert cost_at([], 1e-3) is None


def test_a_ratio_is_formed_in_every_round() -> None:
    ours = [[(1e-2, 1.0), (1e-4, 2.0)], [(1e-2, 2.0), (1e-4, 4.0)], [(1e-2, 1.0), (1e-4, 2.0)]]
    theirs = [[(1e-2, 10.0), (1e-4, 20.0)], [(1e-2, 40.0), (1e-4, 80.0)], [(1e-2, 12.0), (1e-4, 24.0)]]
    assert ratios(theirs, ours, 1e-3) == pytest.approx((12.0, 10.0, 20.0))
    assert ratios(theirs, ours, 1e-6) is None
    assert medians(theirs) == [(1e-2, 12.0), (1e-4, 24.0)]


def test_errors() -> None:
    reference = np.array([[1.0, 0.0], [-4.0, 2.0]])
    assert largest_error(reference + 0.1, reference).tolist() == pytest.approx([0.025, 0.05])
    assert relative_error(reference + 0.1, reference).tolist() == [pytest.approx([0.1, 1.0]), pytest.approx([0.025, 0.05])]


def test_operations_count_loops_as_often_as_they_run_and_functions_where_they_are_called() -> None:
    found = operations(TEXT, "outer")
    assert found["fadd", 8] == found["fmul", 1] == found["fma", 1] == 3
    assert found["fdiv", 1] == 1
    assert flops(found) == 3 * (8 + 1 + 2) + 1
    assert turns(TEXT.splitlines()) == {"1": 3}
    assert work(operations(TEXT, "inner")) == 4  # load, mul, fma, store


def test_instructions_count_loops_as_often_as_they_run() -> None:
    found = instructions(ASSEMBLY, {"outer": [3], "other": []})
    assert found == {"outer": (1 + 3 * 3 + 1, 1 + 3), "other": (3, 1)}
    assert "outer" not in instructions(ASSEMBLY, {"outer": []})  # another number of loops than thought


@pytest.fixture(scope="module")
def sbml(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Model.load(library(Path(tmp_path_factory.mktemp("library")))).sbml


def course(times: list[float]) -> Batch:
    nothing = np.empty((1, 0))
    breaks = Breaks(np.array([0.0, 2.0]), ("load", "load"), np.array([1.0, 3.0]), np.array([2.0, 5.0]), ("H", "H"), np.array([4.0, 8.0]))
    return Batch(0.0, 6.0, (), nothing, (), nothing, (breaks,), np.array(times), np.empty((0, 2)))


def test_elimination_is_counted_as_it_was_planned(sbml: str) -> None:
    layout = Layout.of(read_system(sbml))
    factor, solve = layout.elimination.flops
    text = step_text(layout, "rodas4", 1)
    on_diagonal = sum(i == j for i, j in layout.jacobian)  # g - entry, which the plan does not count
    assert flops(operations(text, "factor")) == factor + on_diagonal
    assert flops(operations(text, "solve")) == solve


def test_a_lane_does_the_same_work_at_every_width(sbml: str) -> None:
    layout = Layout.of(read_system(sbml))
    one, four, eight = (counted(layout, "rodas4", lanes) for lanes in (1, 4, 8))
    assert one["calls"] == {"slopes": 1, "rates": 5, "factor": 1, "solve": 6}
    assert one["flops"] == four["flops"] == eight["flops"]


def test_between_breakpoints_every_asked_time_is_due_once() -> None:
    found = [(now, stop, due.tolist()) for now, stop, due in spans(course([1.0, 2.0, 5.5, 6.0]))]
    assert found == [(0.0, 2.0, [0, 1]), (2.0, 5.0, []), (5.0, 6.0, [2, 3])]


def test_peers_are_given_the_models_own_rates_and_breakpoints(sbml: str) -> None:
    emitted = Emitted(sbml, course([6.0]), ("H", "seen"))
    system = emitted.layout.system
    y, acts = emitted.open(course([6.0]))
    before = y[system.state_index["H"]]
    emitted.act(acts, 0.0, y)
    parameters = emitted.arrays["p"].tolist()
    assert parameters[system.parameter_index["load"]] == 1.0
    expected = evaluator(system.graph, system.rates)(0.5, y.tolist(), parameters)
    assert emitted.rates(0.5, y).tolist() == pytest.approx(expected, rel=1e-12)
    emitted.act(acts, 2.0, y)
    assert y[system.state_index["H"]] == pytest.approx(before + 4.0 / 4)  # an amount into 4 litres
    assert [time for time, _, _ in acts] == [5.0]
    assert emitted.watch(0.5, y)[0] == y[system.state_index["H"]]
