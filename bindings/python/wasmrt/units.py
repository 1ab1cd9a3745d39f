"""Sizes, counts and times as callers write them, in the form in which a spec has them.

What a text such as "64Mi" or "1min 30s" means is not decided here: texts go through as they are.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Union

from .errors import InvalidInputError

if TYPE_CHECKING:
    import datetime

__all__ = ["UNLIMITED", "Count", "Duration", "Size"]

Size = Union[int, str]
"""A number of bytes, or a text such as "64Mi", "1.5g" or "unlimited"."""

Count = Union[int, str]
"""A whole number, or "unlimited"."""

Duration = Union[int, float, str, "datetime.timedelta"]
"""A number of seconds, a timedelta, or a text such as "500ms", "1min 30s" or "unlimited"."""

UNLIMITED = "unlimited"
"""No limit, said aloud."""

_WHOLE = "a whole number, or a text such as"


_INFINITE = float("inf")


def is_timedelta(value: Any) -> bool:
    """Whether this is one. Nobody has one who has not imported the module, which takes its time."""
    module = sys.modules.get("datetime")
    return module is not None and isinstance(value, module.timedelta)


def whole(name: str, value: Any) -> Union[int, str]:
    """A size or a count."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidInputError(f"{name} is {value!r}: it takes {_WHOLE} '64Mi' (sizes only) or 'unlimited'")
    return value


def duration(name: str, value: Any) -> Union[int, str]:
    """A length of time, exactly."""
    if isinstance(value, str):
        return value
    if is_timedelta(value):
        microseconds = (value.days * 86_400 + value.seconds) * 10**6 + value.microseconds
        if microseconds < 0:
            raise InvalidInputError(f"{name} is {value}: a time is not negative")
        return f"{microseconds}us"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInputError(f"{name} is {value!r}: it takes seconds, a timedelta, or a text such as '1.5s' or 'unlimited'")
    if not 0 <= value < _INFINITE:
        raise InvalidInputError(f"{name} is {value}: a time is finite and not negative; 'unlimited' is spelled out")
    if isinstance(value, int):
        return value
    if value > 2**63 / 1e9:
        raise InvalidInputError(f"{name} is {value} seconds: that is longer than can be counted; 'unlimited' is spelled out")
    return f"{round(value * 1e9)}ns"


def seconds(name: str, value: Any) -> float:
    """A length of time that Python itself waits for."""
    if is_timedelta(value):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _INFINITE:
        raise InvalidInputError(f"{name} is {value!r}: it takes seconds or a timedelta, not negative")
    return float(value)
