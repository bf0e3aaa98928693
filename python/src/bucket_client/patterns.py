"""Patterns of ``push``, as in shells, but ``*`` also matches ``/``. The TypeScript client has the same.

``fnmatch`` differs from shells in ``[^…]``, which is ``[!…]`` there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

#: A class such as ``[!a-c]``, or one character. A ``]`` right after the opening belongs to the class. A bracket that is
#: never closed stands for itself.
_PART = re.compile(r"\[([!^]?)(\][^\]]*|[^\]]+)\]|.", re.DOTALL)
_MEMBER = re.compile(r"(.)-(.)|.", re.DOTALL)


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that says whether a pattern matches a whole path or its last name.

    A slash at the end of a pattern is ignored.
    """
    expressions = [re.compile(_PART.sub(_part, pattern.rstrip("/")), re.DOTALL) for pattern in patterns]

    def matches(path: str) -> bool:
        names = [path, path.rsplit("/", 1)[-1]]
        return any(expression.fullmatch(name) for expression in expressions for name in names)

    return matches


def _part(part: re.Match[str]) -> str:
    if part[2] is not None:
        return _class(part[2], is_negated=part[1] != "")
    return {"*": ".*", "?": "."}.get(part[0], re.escape(part[0]))


def _class(members: str, *, is_negated: bool) -> str:
    # A range whose end is before its start matches nothing.
    body = _MEMBER.sub(_member, members)
    if body == "":
        return "." if is_negated else "(?!)"
    return f"[{'^' if is_negated else ''}{body}]"


def _member(member: re.Match[str]) -> str:
    low, high = member[1], member[2]
    if low is None:
        return _escaped(member[0])
    return f"{_escaped(low)}-{_escaped(high)}" if low <= high else ""


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
