"""Waits and retries. All times are in seconds.

Every request of the API may be repeated (docs/http-api.md, section 8), so only the kind of failure decides.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import BucketError, error

_log = logging.getLogger("bucket_client")
T = TypeVar("T")
#: The longest wait that can be set: 30 days.
_MOST_SECONDS = 30 * 24 * 3600


def _check_seconds(kind: object, least: str, names: tuple[str, ...]) -> None:
    """Check members that are seconds.

    Raises:
        ValueError: the first wrong member.
    """
    for name in names:
        given: Any = getattr(kind, name)
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not 0 <= given <= _MOST_SECONDS or (least == "above 0" and given == 0):
            what = f"{type(kind).__name__}({name.rstrip('_')}={given!r})"
            raise ValueError(f"{what}: give seconds {least}, at most {_MOST_SECONDS}")


@dataclass(frozen=True)
class Timeouts:
    """Bounds of single waits, in seconds.

    Raises:
        ValueError: a value that is not a number of seconds.
    """

    #: For a connection to be made.
    connect: float = 10.0
    #: Without a byte moving in either direction.
    idle: float = 30.0
    #: For ``100 Continue`` before a large body is sent all the same (RFC 9110, section 10.1.1).
    continue_: float = 1.0
    #: Between two looks at an upload that is being verified, where the server names no time.
    poll: float = 1.0
    #: Without progress of a verification, before the commit is repeated.
    verification_idle: float = 30.0

    def __post_init__(self) -> None:
        """Check all members."""
        _check_seconds(self, "above 0", ("connect", "idle", "poll", "verification_idle"))
        _check_seconds(self, "from 0 on", ("continue_",))


@dataclass(frozen=True)
class RetryPolicy:
    """When a failure is retried.

    Raises:
        ValueError: a value that is not a number of attempts or of seconds.
    """

    #: Attempts of one request, the first included.
    attempts: int = 5
    #: The first delay; it doubles with every further failure.
    base: float = 0.25
    max_delay: float = 8.0
    #: A longer ``Retry-After`` is not waited for: the failure is raised instead.
    max_retry_after: float = 60.0
    #: A transfer that has begun is continued until no byte has moved for this long.
    patience: float = 300.0

    def __post_init__(self) -> None:
        """Check all members."""
        attempts: Any = self.attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise ValueError(f"RetryPolicy(attempts={attempts!r}): give a whole number from 1 on; 1 never retries")
        _check_seconds(self, "from 0 on", ("base", "max_delay", "max_retry_after", "patience"))


class Cancelled(Exception):
    """Ends the threads of a call that failed in another thread. It never leaves the package."""


class Cancel:
    """Ends all waits of a call, and of the calls that it makes: a child is cancelled with its parent."""

    #: How often a wait looks at the parent. Seconds.
    TICK = 0.25

    def __init__(self, parent: Cancel | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent

    def set(self) -> None:
        """Cancel."""
        self._event.set()

    def is_set(self) -> bool:
        """Return whether this call or its parent is cancelled."""
        return self._event.is_set() or (self._parent is not None and self._parent.is_set())

    def wait(self, seconds: float) -> bool:
        """Wait; return early, with true, if the call is cancelled."""
        ends = time.monotonic() + seconds
        while not self.is_set():
            left = ends - time.monotonic()
            if left <= 0:
                return False
            self._event.wait(min(left, self.TICK))
        return True


def check_cancelled(cancel: Cancel | None) -> None:
    """Raise :class:`Cancelled` if the call is over."""
    if cancel is not None and cancel.is_set():
        raise Cancelled


def pause(seconds: float, cancel: Cancel | None) -> None:
    """Wait; raise :class:`Cancelled` as soon as the call is over."""
    if cancel is None:
        time.sleep(seconds)
    elif cancel.wait(seconds):
        raise Cancelled


def backoff(policy: RetryPolicy, failures: int) -> float:
    """Return a delay that doubles with each failure, with jitter."""
    return min(policy.max_delay, policy.base * 2 ** min(failures - 1, 30)) * random.uniform(0.5, 1)


def retry_delay(policy: RetryPolicy, failures: int, problem: BucketError) -> float | None:
    """Return the seconds before the next attempt; ``None`` if waiting would not help or take too long."""
    if not problem.retryable:
        return None
    delay = backoff(policy, failures)
    if problem.retry_after is None:
        return delay
    if problem.retry_after > policy.max_retry_after:
        return None
    return max(delay, problem.retry_after + policy.base * random.random())


class Patience:
    """Counts failures of one operation, and says how long to wait after each.

    An operation that has moved bytes is retried for ``policy.patience``; one that has not, ``policy.attempts`` times.
    """

    def __init__(self, policy: RetryPolicy, *, begun: bool = False) -> None:
        self._policy = policy
        self._begun = begun
        self._failures = 0
        self._moved_at = time.monotonic()

    def moved(self) -> None:
        """Note progress: failures are counted again from here."""
        self._begun = True
        self._failures = 0
        self._moved_at = time.monotonic()

    def wait(self, problem: BucketError, cancel: Cancel | None) -> None:
        """Wait before the next attempt, or raise ``problem`` if that was the last attempt."""
        self._failures += 1
        delay = retry_delay(self._policy, self._failures, problem)
        is_over = (
            time.monotonic() + (delay or 0) - self._moved_at > self._policy.patience
            if self._begun
            else self._failures >= self._policy.attempts
        )
        if delay is None or is_over:
            raise problem
        _log.info("attempt %d follows in %.1f s: %s", self._failures + 1, delay, problem.detail)
        pause(delay, cancel)


class Standstill:
    """How long another process, which uses the same place, has made no progress."""

    def __init__(self) -> None:
        self._size = -1
        self._since = time.monotonic()

    def seconds(self, size: int) -> float:
        """Return for how long its bytes have had the same ``size``."""
        if size != self._size:
            self._size, self._since = size, time.monotonic()
        return time.monotonic() - self._since


def retrying(policy: RetryPolicy, cancel: Cancel | None, attempt: Callable[[], T], *, begun: bool = False) -> T:
    """Return what ``attempt`` returns, after as many attempts as the policy allows.

    Args:
        policy: how often, and how long.
        cancel: ends the waits.
        attempt: makes one attempt.
        begun: whether it belongs to a transfer that has moved bytes.
    """
    patience = Patience(policy, begun=begun)
    while True:
        check_cancelled(cancel)
        try:
            return attempt()
        except BucketError as problem:
            patience.wait(problem, cancel)


def stalled(where: str, what: str) -> BucketError:
    """Return the error of a wait that has reached its bound."""
    return error("stalled", f"{where} {what}")
