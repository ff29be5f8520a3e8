"""Draw figures in processes of their own, while the command that wants them goes on.

`drawers` forks a process as soon as a command knows that it will draw. That process imports
matplotlib while verdicts are read. When the figures are known it draws them, with further processes
that it forks if there are CPUs for them. It ends when the command does, however that ends, since
its pipe is closed then.

Only `fork` is worth it: a process that is spawned would import everything again, and run a user's
script again if that starts without `if __name__ == "__main__"`. Without fork, or beside other
threads of Python, whose locks a forked process could wait for, figures are drawn in this process.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ...errors import JuriesError
from .options import FigureOptions
from .style import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)
MOST_PROCESSES = 4  # an analysis has about ten figures, half a second each


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

    def draw(self, processes: int = 1) -> list[Path]:
        """Write the figures; return the PNGs' paths.

        Raises
        ------
        JuriesError
            If this machine has no such font, or a process was killed.
        """
        if not self.planned:
            return []
        with self.options.look(self.text) as missing:
            if missing:
                log.warning(
                    "figures: no font on this machine has %s, drawn as boxes; install one, such as "
                    "Noto Sans CJK, Noto Sans Arabic or Noto Emoji",
                    missing[:20] + ("..." if len(missing) > 20 else ""),
                )
            processes = min(processes, len(self.planned))
            drawn = self._share(count().__next__) if processes == 1 else self._shared(processes)
        return [drawn[at] for at in range(len(self.planned))]

    def _share(self, taken: Callable[[], int]) -> dict[int, Path]:
        """Draw figures until all are taken, the last first: those of ranks and battles are slow."""
        drawn = {}
        while (at := len(self.planned) - 1 - taken()) >= 0:
            one = self.planned[at]
            drawn[at] = save(one.draw(), self.folder, one.name, self.options.formats)
        return drawn

    def _shared(self, processes: int) -> dict[int, Path]:
        counter = _context().Value("i", 0)

        def taken() -> int:
            with counter.get_lock():
                counter.value += 1
                return int(counter.value - 1)

        helpers = [_Forked(lambda _: self._share(taken)) for _ in range(processes - 1)]
        for helper in helpers:
            helper.send(None)
        drawn = self._share(taken)
        for helper in helpers:
            drawn |= helper.receive()
            helper.close()
        return drawn


class Drawn(Sequence[Path]):
    """The PNGs of figures that may still be drawn: whoever looks at them waits.

    Attributes
    ----------
    shows : sequence of str
        What each figure shows.
    left_out : sequence of str
        The names of the figures that `options.draw` leaves out.
    """

    def __init__(
        self,
        receive: Callable[[], list[Path]],
        shows: Sequence[str],
        left_out: Sequence[str] = (),
    ) -> None:
        self.shows = shows
        self.left_out = left_out
        self._receive = receive
        self._paths: list[Path] | None = None

    def wait(self) -> list[Path]:
        """Return the paths.

        Raises
        ------
        JuriesError
            If this machine has no such font, or the process that draws was killed.
        """
        if self._paths is None:
            self._paths = self._receive()
        return self._paths

    def __len__(self) -> int:
        return len(self.wait())

    @overload
    def __getitem__(self, at: int) -> Path: ...
    @overload
    def __getitem__(self, at: slice) -> list[Path]: ...
    def __getitem__(self, at: int | slice) -> Path | list[Path]:
        return self.wait()[at]


class Drawers:
    """Draws in other processes if `drawers` has forked one, else in this one."""

    def __init__(self, forked: _Forked | None = None) -> None:
        self._forked = forked

    def begin(self, order: Order) -> Drawn:
        """Begin to draw, or in this process draw at once."""
        shows = [one.shows for one in order.planned]
        if self._forked is None:
            drawn = order.draw()
            return Drawn(lambda: drawn, shows, order.left_out)
        self._forked.send(order)
        return Drawn(self._forked.receive, shows, order.left_out)


@contextmanager
def drawers(options: FigureOptions) -> Iterator[Drawers]:
    """Yield what draws beside this process, where that is safe and there are CPUs for it."""
    cpus = _cpus()
    if options.draw == "none" or cpus < 2 or not _safe_to_fork():
        yield Drawers()
        return

    def draw(order: Order | None) -> list[Path]:
        return order.draw(min(cpus, MOST_PROCESSES)) if order else []

    forked = _Forked(draw, begin=_import_matplotlib)
    try:
        yield Drawers(forked)
    finally:
        forked.close()


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _safe_to_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


def _context() -> Any:
    return multiprocessing.get_context("fork")


def _import_matplotlib() -> None:
    """Import what figures are drawn with, the fonts of PDFs included."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_pdf  # and fontTools
    import matplotlib.figure  # noqa: F401


class _Forked:
    """A process that calls a function on what it is sent and sends back what that returns."""

    def __init__(
        self, function: Callable[[Any], Any], begin: Callable[[], None] | None = None
    ) -> None:
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=self._serve, args=(theirs, function, begin))
        self._process.start()
        theirs.close()

    def _serve(
        self,
        pipe: Connection,
        function: Callable[[Any], Any],
        begin: Callable[[], None] | None,
    ) -> None:
        self._pipe.close()  # else the end of the other process would not be seen
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # end in silence
        if begin is not None:
            begin()
        while True:
            try:
                given = pipe.recv()
            except EOFError:
                return
            try:
                found, error = function(given), None
            except Exception as raised:
                raised.add_note(traceback.format_exc())
                found, error = None, raised
            try:
                pipe.send((found, error))
            except OSError:  # nobody waits any more
                return

    def send(self, value: Any) -> None:
        """Call the function on a value in the other process."""
        try:
            self._pipe.send(value)
        except OSError:
            raise self._killed() from None

    def receive(self) -> Any:
        """Wait for what the function returns; raise what it raises."""
        try:
            found, error = self._pipe.recv()
        except (EOFError, OSError):
            raise self._killed() from None
        if error is not None:
            raise error
        return found

    def close(self) -> None:
        """Let the process end: at once if it draws something that nobody waits for any more."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def _killed(self) -> JuriesError:
        return JuriesError(
            "figures: a process that draws was killed, perhaps for lack of memory; set "
            "figures.draw=main, or none"
        )
