"""Adds to the error of an interrupted transfer how much is kept, and that the same call continues."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from .errors import BucketError, NetworkError, NotAuthorizedError, UnavailableError
from .progress import Phase, Report
from .timing import Cancelled


class _Watched:
    """A report that remembers how far the transfer has come."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.done = 0
        self.total: int | None = None

    def __call__(self, phase: Phase, done: int, total: int | None, sent: int | None = None, /) -> None:
        if phase in ("uploading", "downloading"):
            self.done, self.total = done, total
        elif phase == "committed":
            # Stored permanently: nothing is left to continue.
            self.done = 0
        self._report(phase, done, total, sent)


@contextlib.contextmanager
def resumable(report: Report, where: str) -> Generator[Report]:
    """Yield the report function of a transfer. If the transfer ends early, its error says that the same call continues.

    Failures of the network and the service say so in ``next``. Others, such as Ctrl-C or a full disk, get a note
    (``BaseException.add_note``, Python 3.11 and later), which a traceback shows.

    Args:
        report: gets all reports.
        where: place of the kept bytes: ``"in the folder 'data'"``.
    """
    watched = _Watched(report)
    try:
        yield watched
    except Cancelled:
        raise
    except BaseException as problem:
        if watched.done > 0:
            kept = f"{watched.done} of {watched.total} bytes are kept {where}"
            sentence = f"{kept}. The same call continues from there."
            noted: Any = problem
            if isinstance(problem, NetworkError | UnavailableError | NotAuthorizedError):
                problem.add_next(sentence)
            elif not isinstance(problem, BucketError) and hasattr(noted, "add_note"):
                noted.add_note(sentence)
        raise
