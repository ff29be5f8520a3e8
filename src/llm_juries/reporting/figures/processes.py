"""Draw figures in processes of their own, while the command that wants them goes on.

`drawers` forks a process as soon as a command knows that it will draw. That process imports
matplotlib and reads fonts while verdicts are read. When the figures are known it draws them, with
further processes that it forks if there are CPUs for them. It ends when the command does, however
that ends, since its pipe is closed then.

Where it is not safe to fork, figures are drawn in this process: see `reporting.forked`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ...files import file_name
from ..forked import Forked, context, cpus, worth_forking
from .options import FigureOptions
from .style import save, warm_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)
MOST_PROCESSES = 4  # an analysis has about ten figures, a quarter of a second each
KILLED = (
    "figures: a process that draws was killed, perhaps for lack of memory; set figures.draw=main, "
    "or none"
)


@dataclass(frozen=True)
class Planned:
    """A figure to draw.

    Attributes
    ----------
    name : str
        Of its files, without an ending.
    draw : function without arguments
        Returns its axes. It is pickled: a `functools.partial` of a function of `figures`.
    shows : str
        What is on it, in a sentence or two, for those who can't see it.
    """

    name: str
    draw: Callable[[], Axes]
    shows: str


@dataclass(frozen=True)
class Order:
    """Figures to draw, where and how.

    `text` are all the names in them, joined; `left_out` the names of figures that are not wanted.
    """

    planned: Sequence[Planned]
    folder: Path
    options: FigureOptions
    text: str = ""
    left_out: Sequence[str] = ()

    @property
    def paths(self) -> list[Path]:
        """The PNGs' paths."""
        return [self.folder / f"{file_name(one.name)}.png" for one in self.planned]

    def draw(self, processes: int = 1) -> None:
        """Write the figures.

        Raises
        ------
        JuriesError
            If this machine has no such font, or a process was killed.
        """
        if not self.planned:
            return
        with self.options.look(self.text) as missing:
            if missing:
                log.warning(
                    "figures: no font on this machine has %s, drawn as boxes; install one, such as "
                    "Noto Sans CJK, Noto Sans Arabic or Noto Emoji",
                    missing[:20] + ("..." if len(missing) > 20 else ""),
                )
            processes = min(processes, len(self.planned))
            if processes == 1:
                self._share(count().__next__)
            else:
                self._shared(processes)

    def _share(self, taken: Callable[[], int]) -> None:
        """Draw figures until all are taken, the last first: those of ranks and battles are slow."""
        while (at := len(self.planned) - 1 - taken()) >= 0:
            one = self.planned[at]
            save(one.draw(), self.folder, one.name, self.options.formats)

    def _shared(self, processes: int) -> None:
        counter = context().Value("i", 0)

        def taken() -> int:
            with counter.get_lock():
                counter.value += 1
                return int(counter.value - 1)

        helpers = [Forked(lambda _: self._share(taken), KILLED) for _ in range(processes - 1)]
        for helper in helpers:
            helper.send(None)
        self._share(taken)
        for helper in helpers:
            helper.receive()
            helper.close()


class Drawn(Sequence[Path]):
    """The PNGs of figures that may still be drawn: whoever opens them calls `wait` first.

    Attributes
    ----------
    shows : sequence of str
        What each figure shows.
    left_out : sequence of str
        The names of the figures that `options.draw` leaves out.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shows: Sequence[str],
        left_out: Sequence[str] = (),
        receive: Callable[[], object] | None = None,
    ) -> None:
        self.shows = shows
        self.left_out = left_out
        self._paths = paths
        self._receive = receive

    def wait(self) -> Sequence[Path]:
        """Return the paths when all files are there.

        Raises
        ------
        JuriesError
            If this machine has no such font, or the process that draws was killed.
        """
        receive, self._receive = self._receive, None
        if receive is not None:
            receive()
        return self._paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, at: int) -> Path: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Path]: ...
    def __getitem__(self, at: int | slice) -> Path | Sequence[Path]:
        return self._paths[at]


class Drawers:
    """Draws in other processes if `drawers` has forked one, else in this one."""

    def __init__(self, forked: Forked | None = None) -> None:
        self._forked = forked
        self._begun: Drawn | None = None

    def begin(self, order: Order) -> Drawn:
        """Begin to draw when what was begun before is drawn, or in this process draw at once."""
        self.wait()
        if self._forked is None:
            order.draw()
        else:
            self._forked.send(order)
        receive = self._forked.receive if self._forked else None
        shows = [one.shows for one in order.planned]
        self._begun = Drawn(order.paths, shows, order.left_out, receive)
        return self._begun

    def wait(self) -> None:
        """Wait for what was begun."""
        if self._begun is not None:
            self._begun.wait()


@contextmanager
def drawers(options: FigureOptions) -> Iterator[Drawers]:
    """Yield what draws beside this process, where that is safe and there are CPUs for it.

    At the end, all that was begun is drawn.
    """
    if options.draw == "none" or not worth_forking():
        yield Drawers()
        return

    def draw(order: Order) -> None:
        order.draw(min(cpus(), MOST_PROCESSES))

    forked = Forked(draw, KILLED, begin=warm_up)
    others = Drawers(forked)
    try:
        yield others
        others.wait()
    finally:
        forked.close()
