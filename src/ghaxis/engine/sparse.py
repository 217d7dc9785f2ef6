"""Sparse elimination without pivoting, planned once: an order of little fill-in, and which entries then exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Elimination:
    """The plan: rows and columns in `order`; `lower[i]` and `upper[i]` are the columns of row i left and right of its diagonal, in order.

    `slot[i, j]` numbers the entries of the factors row by row; the diagonal slot holds the reciprocal of the pivot.
    """

    order: tuple[int, ...]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]
    slot: dict[tuple[int, int], int]

    @property
    def flops(self) -> tuple[int, int]:
        """Arithmetic of one factorisation and of one solution."""
        factor = sum(1 + sum(1 + 2 * len(self.upper[j]) for j in self.lower[i]) for i in self.order)
        return factor, sum(1 + 2 * len(self.lower[i]) + 2 * len(self.upper[i]) for i in self.order)


def plan(size: int, entries: Iterable[tuple[int, int]]) -> Elimination:
    """Markowitz order on the diagonal: next comes the row whose elimination touches the fewest entries, the first of equals."""
    full = np.eye(size, dtype=bool)
    for i, j in entries:
        full[i, j] = True
    active = np.ones(size, dtype=bool)
    order: list[int] = []
    for _ in range(size):
        rows = (full & active[None, :]).sum(axis=1) - 1
        columns = (full & active[:, None]).sum(axis=0) - 1
        cost = np.where(active, rows * columns, np.iinfo(np.int64).max)
        k = int(np.argmin(cost))
        order.append(k)
        active[k] = False
        full |= np.outer(full[:, k] & active, full[k] & active)
    position = np.empty(size, dtype=int)
    position[order] = np.arange(size)
    columns_of = [sorted(np.flatnonzero(full[i]), key=lambda j: position[j]) for i in range(size)]
    lower = tuple(tuple(int(j) for j in row if position[j] < position[i]) for i, row in enumerate(columns_of))
    upper = tuple(tuple(int(j) for j in row if position[j] > position[i]) for i, row in enumerate(columns_of))
    slot: dict[tuple[int, int], int] = {}
    for i in order:
        for j in (*lower[i], i, *upper[i]):
            slot[i, j] = len(slot)
    return Elimination(tuple(order), lower, upper, slot)
