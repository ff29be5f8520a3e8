"""Draw figures in processes of their own, while the command that wants them goes on.

`drawers` forks a process as soon as a command knows that it will draw. That process imports
matplotlib and reads fonts while verdicts are read. When the figures are known it draws them, with
further processes that it forks if there are CPUs for them. It ends when the command does, however
that ends, since its pipe is closed then.

Only `fork` is worth it: a process that is spawned would import everything again, and run a user's
script again if that starts without `if __name__ == "__main__"`. Without fork, or beside other
threads of Python, whose locks a forked process could wait for, figures are drawn in this process.
"""

from __future__ import annotations

import gc
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
from ...files import file_name
from .options import FigureOptions
from .style import save, warm_up

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
        counter = _context().Value("i", 0)

        def taken() -> int:
            with counter.get_lock():
                counter.value += 1
                return int(counter.value - 1)

        helpers = [_Forked(lambda _: self._share(taken)) for _ in range(processes - 1)]
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

    def __init__(self, forked: _Forked | None = None) -> None:
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
    cpus = _cpus()
    if options.draw == "none" or cpus < 2 or not _safe_to_fork():
        yield Drawers()
        return

    def draw(order: Order) -> None:
        order.draw(min(cpus, MOST_PROCESSES))

    forked = _Forked(draw, begin=warm_up)
    others = Drawers(forked)
    try:
        yield others
        others.wait()
    finally:
        forked.close()


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _safe_to_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


def _context() -> Any:
    return multiprocessing.get_context("fork")


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
        gc.freeze()  # a collection would copy all that this process shares with the other
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
