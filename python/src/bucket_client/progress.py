"""Progress reports of a call, and a progress bar for them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Phase = Literal["hashing", "uploading", "verifying", "downloading", "committed"]


@dataclass(frozen=True)
class Progress:
    """One report. Reports may come from several threads, but never two at once."""

    #: hashing: the client reads the source; uploading: the store acknowledges bytes; verifying: the service reads them
    #: again; committed: stored by this call; downloading: bytes arrive.
    phase: Phase
    #: Bytes done in this phase.
    done: int
    #: Bytes in all; ``None`` while a source of unknown size is read.
    total: int | None
    #: In the phase ``uploading``, bytes that have left, acknowledged or not.
    sent: int | None = None


#: Called often; it must return quickly. An exception that it raises ends the call.
OnProgress: TypeAlias = Callable[[Progress], None]
#: What calls take: a callback, or ``True`` for a bar of ``tqdm``.
ProgressLike: TypeAlias = OnProgress | bool | None


class Report(Protocol):
    """The type of report functions inside the client."""

    def __call__(self, phase: Phase, done: int, total: int | None, sent: int | None = None, /) -> None:
        """Report."""
        ...


def no_report(phase: Phase, done: int, total: int | None, sent: int | None = None) -> None:
    """Report nothing."""


@contextlib.contextmanager
def reporting(progress: ProgressLike, what: str) -> Generator[Report, None, None]:
    """Yield a report function for the caller's ``progress``. A bar ends with the block, also when a call fails.

    Raises:
        ImportError: ``True`` without ``tqdm``.
    """
    if progress is None or progress is False:
        yield no_report
        return
    on_progress = TqdmProgress(what) if progress is True else progress
    lock = threading.Lock()

    def report(phase: Phase, done: int, total: int | None, sent: int | None = None) -> None:
        with lock:
            on_progress(Progress(phase, done, total, sent))

    try:
        yield report
    finally:
        if isinstance(on_progress, TqdmProgress):
            on_progress.close()


class Total:
    """Adds up what several threads did."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._lock = threading.Lock()
        self.done = 0
        self._report = report

    def add(self, count: int) -> None:
        """Add bytes."""
        with self._lock:
            self.done += count
            self._report(self.done)

    def piece(self) -> Callable[[int], None]:
        """Return a function that takes the bytes of one piece so far and adds the difference."""
        counted = 0

        def reach(done: int) -> None:
            nonlocal counted
            if done > counted:
                self.add(done - counted)
                counted = done

        return reach


class TqdmProgress:
    """A bar of ``tqdm``, in a terminal or a notebook; one bar for each phase that takes a moment.

    Example:
        >>> bucket.download(ref, "model.bin", progress=TqdmProgress("model"))  # doctest: +SKIP
    """

    #: Phases that are over sooner get no bar.
    _PATIENCE = 0.3

    def __init__(self, description: str = "", **options: Any) -> None:
        """Nothing is shown yet.

        Args:
            description: text in front of the bar.
            options: passed to ``tqdm.auto.tqdm``.

        Raises:
            ImportError: ``tqdm`` is not installed.
        """
        try:
            from tqdm.auto import tqdm
        except ImportError as problem:
            raise ImportError("progress=True needs tqdm: pip install 'bucket-client[tqdm]'") from problem
        self._tqdm: Any = tqdm
        self._description = description
        self._options = options
        self._bar: Any = None
        self._phase: Phase | None = None
        self._began = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show a report."""
        done = progress.done if progress.sent is None else progress.sent
        if progress.phase != self._phase:
            self.close()
            self._phase = progress.phase
            self._began = time.monotonic()
        if progress.phase == "committed":
            return
        if self._bar is None and time.monotonic() - self._began > self._PATIENCE:
            self._bar = self._tqdm(
                desc=f"{self._description} {progress.phase}".strip(),
                total=progress.total,
                initial=done,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                **self._options,
            )
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            if progress.total == done:
                self.close()

    def close(self) -> None:
        """End the bar. A later report begins another one."""
        self._phase = None
        if self._bar is not None:
            self._bar.close()
            self._bar = None
