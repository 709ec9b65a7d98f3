"""Which metrics a PromQL expression names."""

import re

_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring"})
#: In their order: texts, selectors, ranges, and the labels of a grouping.
_NO_METRICS = (
    r'"(\\.|[^"\\])*"',
    r"\{[^}]*\}",
    r"\[[^]]*\]",
    r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",
)


def metrics_of(expression: str) -> set[str]:
    """The names of all metrics in an expression."""
    for pattern in _NO_METRICS:
        expression = re.sub(pattern, " ", expression)
    names = re.findall(r"\b[A-Za-z_:][\w:]*\b(?!\s*\()", expression)
    return set(names) - _WORDS


def family_of(metric: str) -> str:
    """The name under which a metrics page describes a metric."""
    return re.sub(r"_(total|bucket|sum|count)$", "", metric)
