from __future__ import annotations

import inspect
from typing import Any

import pytest

import model_lifecycle.operators as operators

_CLASSES = [name for name in operators.__all__ if name.endswith(("Operator", "Sensor"))]


@pytest.mark.parametrize("name", _CLASSES)
def test_template_fields_are_arguments_kept_as_they_came(name: str) -> None:
    """Each template field is an argument of the constructor, assigned unchanged.

    Airflow renders the attribute after the constructor ran: what the constructor computed from it
    would be computed from the unrendered template.
    """
    operator: Any = getattr(operators, name)
    fields = tuple(operator.template_fields)
    given = {field: f"{{{{ params.{field} }}}}" for field in fields}
    required = {
        parameter.name: parameter.name
        for kind in operator.__mro__
        if kind.__module__.startswith("model_lifecycle")
        for parameter in inspect.signature(kind.__init__).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    task = operator(task_id="task", **{**required, **given})

    assert {field: getattr(task, field) for field in fields} == given


@pytest.mark.parametrize("name", _CLASSES)
def test_operators_take_keywords_only(name: str) -> None:
    """Nobody has to remember an order of arguments."""
    parameters = inspect.signature(getattr(operators, name).__init__).parameters.values()
    positional = {p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD}

    assert positional <= {"self"}
