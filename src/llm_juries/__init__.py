"""Evaluate model answers with panels of LLM judges, and panels of judges against humans.

    import llm_juries as lj

    panel = lj.judge("answers.jsonl", judges=["qwen25_coder", "contains"])
    lj.agreement(panel)

The names below are the public ones, imported when they are first used; `llm_juries.api` describes
them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.distributions import verdict_distributions
    from .api import (
        advise,
        agreement,
        check_judges,
        compare,
        dependence,
        difference,
        judge,
        list_judges,
        list_tables,
        load_judge,
        overview,
        questions_needed,
        read_run,
        read_verdicts,
        report,
        search_juries,
        table,
    )
    from .collect.policy import Policy
    from .errors import JuriesError
    from .juries.panel import Panel
    from .juries.rules import Jury
    from .metrics.bootstrap import Bootstrap
    from .reporting.figures.options import FigureOptions
    from .scale import Scale

__version__ = "0.1.0"
__all__ = [
    "Bootstrap",
    "FigureOptions",
    "JuriesError",
    "Jury",
    "Panel",
    "Policy",
    "Scale",
    "advise",
    "agreement",
    "check_judges",
    "compare",
    "dependence",
    "difference",
    "judge",
    "list_judges",
    "list_tables",
    "load_judge",
    "overview",
    "questions_needed",
    "read_run",
    "read_verdicts",
    "report",
    "search_juries",
    "table",
    "verdict_distributions",
]

_HOMES = {
    "Bootstrap": "metrics.bootstrap",
    "FigureOptions": "reporting.figures.options",
    "JuriesError": "errors",
    "Jury": "juries.rules",
    "Panel": "juries.panel",
    "Policy": "collect.policy",
    "Scale": "scale",
    "verdict_distributions": "analysis.distributions",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_HOMES.get(name, 'api')}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
