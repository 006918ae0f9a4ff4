"""The page of the Python API: every public name of `holoflow`, from its docstring."""

from __future__ import annotations

import holoflow

GROUPS = {
    "Operators": [
        "Operator", "param", "OperatorContext", "Batching", "Latest", "Stamped", "Header", "hosted",
    ],
    "Apps": ["App", "load", "run", "run_async", "RunHandle", "EndedRun"],
    "Quantities": ["Duration", "Frequency", "Size"],
    "Arrays": ["Array", "namespace", "to_numpy"],
    "Errors": [
        "HoloflowError", "AppError", "OperatorDefinitionError", "ParameterError",
        "MissingExtraError",
    ],
}  # fmt: skip


def page() -> str:
    """Return the page; names that no group has are payloads, or new."""
    grouped = {name for names in GROUPS.values() for name in names}
    others = [name for name in holoflow.__all__ if name not in grouped]
    groups = {"Operators": GROUPS["Operators"], "Payloads": others, **GROUPS}
    parts = [
        "# Python API",
        "What `from holoflow import …` gives. These names are public: "
        "[what a version promises](stability.md) holds for them and for nothing else in the "
        "package. How they are used: [writing an operator](../how-to/write-an-operator.md), "
        "[payloads with examples](payloads.md), [apps from Python](../how-to/run-from-python.md).",
    ]
    for title, names in groups.items():
        parts.append(f"## {title}")
        parts += [f"::: holoflow.{name}" for name in names if name in holoflow.__all__]
    return "\n\n".join(parts) + "\n"
