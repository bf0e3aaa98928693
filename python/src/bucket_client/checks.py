"""Checks of arguments, before anything is read, sent or written. A wrong argument is ``invalid_request``.

Notebooks do not check type hints, and Python would accept some wrong values with another meaning: ``overwrite="no"`` is
true, and ``include="*.py"`` is four patterns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from .errors import InvalidRequestError, invalid_request


def check_all(*checks: Callable[[], object]) -> None:
    """Make all checks of a call.

    Raises:
        InvalidRequestError: with the faults of all of them.
    """
    faults: list[tuple[str, str]] = []
    for check in checks:
        try:
            check()
        except InvalidRequestError as problem:
            faults += [(fault["name"], fault["detail"]) for fault in problem.members["errors"]]
    if faults:
        raise invalid_request(faults)


def type_fault(given: object, expected: str) -> str:
    """Return what to say of an argument of a wrong type."""
    return f"is of the type {type(given).__name__}; give {expected}"


def check_type(name: str, given: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse an argument of a wrong type. ``bool`` counts as a type of its own, not as ``int``."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(given, kinds) or (isinstance(given, bool) and bool not in kinds):
        raise invalid_request([(name, type_fault(given, expected))])


def check_path(name: str, given: object) -> Path:
    """Return a path that a caller gave."""
    if not isinstance(given, str | os.PathLike):
        raise invalid_request([(name, type_fault(given, "a path as a str or pathlib.Path"))])
    text = os.fspath(cast("str | os.PathLike[str]", given))
    check_type(name, text, str, "a path as a str or pathlib.Path")
    if text == "":
        raise invalid_request([(name, 'is empty; give a path, or "." for the current folder')])
    if "\0" in text:
        raise invalid_request([(name, f"is {text!r}, and no path can contain NUL")])
    return Path(text)


def check_optional_path(name: str, given: object) -> Path | None:
    """Return a path that a caller may leave out."""
    return None if given is None else check_path(name, given)


def check_flag(name: str, given: object) -> None:
    """Refuse other values than true and false: Python treats every non-empty text as true."""
    check_type(name, given, bool, "True or False")


def check_count(name: str, given: object, least: int, most: int | None = None) -> None:
    """Refuse anything but a whole number in its bounds."""
    bounds = f"from {least} on" if most is None else f"from {least} to {most}"
    check_type(name, given, int, f"a whole number {bounds}")
    if not isinstance(given, int) or given < least or (most is not None and given > most):
        raise invalid_request([(name, f"is {given}; give a whole number {bounds}")])


def check_patterns(name: str, given: object) -> Sequence[str]:
    """Return patterns of file names. A single text is refused, because Python would iterate over its characters."""
    if isinstance(given, str):
        raise invalid_request([(name, f"is a single str; give a list: [{given!r}]")])
    patterns = cast("list[Any]", list(cast(Any, given)) if hasattr(given, "__iter__") else [given])
    wrong = [pattern for pattern in patterns if not isinstance(pattern, str) or pattern == ""]
    if wrong:
        raise invalid_request([(name, f'has {wrong[0]!r}; give a list of patterns such as ["*.py", "data/*"]')])
    return patterns


def check_progress(given: object) -> None:
    """Refuse what cannot be called."""
    if given is not None and not isinstance(given, bool) and not callable(given):
        raise invalid_request([("progress", type_fault(given, "a function of one Progress, or True for a bar"))])
