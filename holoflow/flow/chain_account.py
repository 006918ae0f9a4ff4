"""What a chain on the fast path has done: the same accounts, kept by the table."""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Sequence

import numpy as np

from holoflow.flow.account import Account
from holoflow.flow.budget import BudgetAccount
from holoflow.flow.path_account import PathAccount

MOST = 8
"""Bursts after which who adds them folds them himself."""


class ChainAccount:
    """A chain's bursts. They are added by one thread, `fold` may be called by any."""

    def __init__(
        self, accounts: Sequence[Account], budgets: Sequence[Sequence[BudgetAccount]],
        path: PathAccount,
    ) -> None:  # fmt: skip
        """Keep `accounts` and `budgets` of operators, the source first, and their `path`."""
        self._accounts = list(accounts)
        self._path = path
        self._lock = threading.Lock()
        places = {account.name: index for index, account in enumerate(accounts)}
        self._budgets = [
            (budget, places[budget.budget.source], index)
            for index, mine in enumerate(budgets)
            for budget in mine
        ]
        self.bursts: deque[tuple[int, array[int]]] = deque()
        """When each began, and a row of stamps a frame: when each operator ended, 0 where the
        frame did not get so far."""

    def fold(self) -> None:
        """Work the new bursts into the accounts."""
        with self._lock:
            begins, tables = [], []
            for _ in range(len(self.bursts)):
                begin, stamps = self.bursts.popleft()
                tables.append(np.frombuffer(stamps, np.int64).reshape(-1, len(self._accounts)))
                begins.append(begin)
            if tables:
                self._add(begins, tables)

    def _add(self, begins: list[int], tables: list[np.typing.NDArray[np.int64]]) -> None:
        stamps = np.concatenate(tables)
        reached = stamps > 0
        ends = stamps.max(axis=1)
        # The source began each frame when the one before had got to its end.
        asked = np.concatenate(([0], ends[:-1]))
        asked[np.cumsum([0] + [len(table) for table in tables[:-1]])] = begins
        takes = np.diff(stamps, axis=1, prepend=asked[:, None])
        for index, account in enumerate(self._accounts):
            mine = reached[:, index]
            working = takes[mine, index]
            latency = stamps[mine, index] - stamps[mine, 0]
            account.add(working, latency / 1e9, stamps[mine, index])
            account.waits.add(np.zeros(len(working)))
        for budget, source, target in self._budgets:
            mine = reached[:, target]
            begun = stamps[mine, 0] if source == 0 else stamps[mine, source - 1]
            budget.times.add_many(stamps[mine, target] - begun)
        whole = reached[:, -1]
        takes[:, 0] = 0
        self._path.critical += int(whole.sum())
        self._path.add(np.zeros_like(takes)[whole], takes[whole], stamps[whole, -1])
