"""The one-step methods, as tables.

A step of size h from (t, y) solves, for stages i = 1..s with W = I/(gamma h) - J,

    W k_i = f(t + alpha_i h, y + sum_j<i a_ij k_j) + sum_j<i (c_ij/h) k_j + h gamma_i df/dt,

and y_new = y + sum m_i k_i, error = sum e_i k_i. Between, for 0 <= x <= 1,

    y(t + x h) = (1 - x) y + x (y_new + (1 - x) (p + x q)),    p = sum dense_1i k_i,  q = sum dense_2i k_i.

Sources: Hairer & Wanner, Solving Ordinary Differential Equations II, section IV.7 (Rodas4, with its dense output); Sandu et al. 1997,
doi:10.1016/S1352-2310(97)83212-8 (ROS3).
"""

from __future__ import annotations

from dataclasses import dataclass

Row = tuple[float, ...]


@dataclass(frozen=True)
class Method:
    """One table; `order` is that of y_new, and the step follows error^(-1/order) (the error estimate is of one order less)."""

    name: str
    order: int
    gamma: float
    alpha: Row
    gammas: Row
    a: tuple[Row, ...]
    c: tuple[Row, ...]
    m: Row
    e: Row
    dense: tuple[Row, Row]

    @property
    def stages(self) -> int:
        """How many linear systems a step solves."""
        return len(self.alpha)


RODAS4 = Method(
    name="rodas4",
    order=4,
    gamma=0.25,
    alpha=(0.0, 0.386, 0.21, 0.63, 1.0, 1.0),
    gammas=(0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0),
    a=(
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
        (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
    ),
    c=(
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
        (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
    ),
    m=(1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0, 1.0),
    e=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    dense=(
        (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662, 0.0),
        (-0.6762803392806898, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872, 0.0),
    ),
)

# ROS3 comes without dense output: `dense` is the shortest d with sum over k-weights 0 and over betas -1/2 (second order in between).
ROS3 = Method(
    name="ros3",
    order=3,
    gamma=0.43586652150845900,
    alpha=(0.0, 0.43586652150845900, 0.43586652150845900),
    gammas=(0.43586652150845900, 0.24291996454816804, 2.1851380027664058),
    a=((), (1.0,), (1.0, 0.0)),
    c=((), (-1.0156171083877702,), (4.0759956452537700, 9.2076794298330791)),
    m=(1.0, 6.1697947043828246, -0.42772256543218573),
    e=(0.5, -2.9079558716805470, 0.22354069897115696),
    dense=((1.4013147525575398, 2.4344526151081314, -0.5501544196156277), (0.0, 0.0, 0.0)),
)

METHODS = {"rodas4": RODAS4, "ros3": ROS3}
