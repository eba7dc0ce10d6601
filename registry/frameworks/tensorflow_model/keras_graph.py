"""A Keras model as a graph of layers with one input, the only form whose file needs no code."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput

from ..protocol import Column
from ..suppress_output import quiet


def as_graph(model: Any, columns: Sequence[Column]) -> Any:
    """The model itself, if it is Sequential or functional; of a subclassed model the graph of the
    layers and operations that its ``call`` uses, with the same weights.

    Raises :class:`InvalidInput` for a model with several inputs, and for one whose call uses more
    than layers and operations of Keras: its file holds none of that code.
    """
    import keras

    if isinstance(model, keras.Sequential):
        graph = _built(model, len(columns))
    elif type(model).__name__ == "Functional" and type(model).__module__.startswith("keras."):
        graph = model
    else:
        graph = _traced(model, len(columns))
    if len(graph.inputs) != 1:
        names = ", ".join(str(item.name) for item in graph.inputs)
        raise InvalidInput(
            f"the Keras model has {len(graph.inputs)} inputs ({names}), but its columns fill one; "
            "give it one input, and split that inside, such as with x[:, :8] and x[:, 8:]",
            field="model",
        )
    return graph


def _built(model: Any, width: int) -> Any:
    if not model.built or not model.inputs:
        try:
            with quiet():
                model.build((None, width))
        except Exception as error:
            # Layers raise whatever they like for a shape that they do not take.
            raise InvalidInput(
                f"the Sequential model does not take {width} columns: {_reason(error)}",
                field="model",
            ) from error
    return model


def _traced(model: Any, width: int) -> Any:
    import keras

    try:
        with quiet():
            shape = _built_for(model) or (width,)
            if not model.built:
                model(keras.ops.zeros((1, *shape)))
            inputs = keras.Input(shape)
            parameters = inspect.signature(model.call).parameters
            training = {"training": False} if "training" in parameters else {}
            return keras.Model(inputs, model.call(inputs, **training), name=model.name)
    except Exception as error:
        # A call is anybody's code.
        raise InvalidInput(
            f"the Keras model {type(model).__name__} is a class of its own, and its call is not "
            f"made of layers and keras.ops on one input alone ({_reason(error)}); a saved model "
            "does not hold its code. Make it a functional model, "
            f"inputs = keras.Input(({width},)); keras.Model(inputs, outputs), or export it to "
            "ONNX and register that with framework onnx",
            field="model",
        ) from error


def _built_for(model: Any) -> tuple[int, ...] | None:
    """The shape of a row that the model was called with before, if that is one of fixed size."""
    config = model.get_build_config() or {}
    shape = config.get("input_shape") or ()
    row = tuple(shape[1:])
    return row if row and all(isinstance(size, int) for size in row) else None


def _reason(error: Exception) -> str:
    return f"{' '.join(str(error).split()):.300}"
