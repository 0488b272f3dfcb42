"""ONNX graphs as formulas: tensors with operators, which add nodes to a graph."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSETS = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 9
TYPES = {"double": TensorProto.DOUBLE, "float": TensorProto.FLOAT, "string": TensorProto.STRING}


class Graph:
    """A graph under construction.

    Args:
        names: Names of inputs and outputs, which no inner value may have.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._inner: str = ""
        while any(name.startswith((f"{self._inner}value_", f"{self._inner}constant_")) for name in names):
            self._inner += "_"
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: list[str | int], meaning: str) -> Tensor:
        """Add an input.

        Args:
            name: Its name.
            dtype: A key of `TYPES`.
            shape: Its shape, names for free sizes.
            meaning: What to put there.
        """
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape, meaning))
        return Tensor(self, name)

    def constant(self, values: Any) -> Tensor:
        """Add a constant; Python numbers are doubles."""
        array = np.asarray(values)
        if not isinstance(values, np.ndarray):
            array = array.astype(np.float64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"{self._inner}constant_{len(self._constants)}")
        return Tensor(self, self._constants[key].name)

    def apply(self, operation: str, *inputs: Any, domain: str = "", **attributes: Any) -> Tensor:
        """Add a node, and return its output."""
        names = [(value if isinstance(value, Tensor) else self.constant(value)).name for value in inputs]
        name = f"{self._inner}value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, names, [name], domain=domain, **attributes))
        return Tensor(self, name)

    def model(self, outputs: dict[str, Tensor], facts: dict[str, str]) -> onnx.ModelProto:
        """Return the checked model.

        Args:
            outputs: Doubles of shape (rows,), by name.
            facts: Metadata.
        """
        nodes = [*self._nodes, *(helper.make_node("Identity", [value.name], [name]) for name, value in outputs.items())]
        infos = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows"]) for name in outputs]
        graph = helper.make_graph(nodes, "binxent", self._inputs, infos, list(self._constants.values()))
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, producer_name="binxent", opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model, full_check=True)
        return model


class Tensor:
    """A value of a graph.

    Attributes:
        name: Its name in the graph.
    """

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name: str = name

    def __add__(self, other: Any) -> Tensor:
        return self.graph.apply("Add", self, other)

    def __sub__(self, other: Any) -> Tensor:
        return self.graph.apply("Sub", self, other)

    def __mul__(self, other: Any) -> Tensor:
        return self.graph.apply("Mul", self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return self.graph.apply("Div", self, other)

    def __floordiv__(self, other: Any) -> Tensor:
        return (self / other).apply("Floor")

    def __mod__(self, other: Any) -> Tensor:
        return self - (self // other) * other

    def __matmul__(self, other: Any) -> Tensor:
        return self.graph.apply("MatMul", self, other)

    def apply(self, operation: str, *inputs: Any, **attributes: Any) -> Tensor:
        """Apply an operation to this value and others."""
        return self.graph.apply(operation, self, *inputs, **attributes)

    def clip(self, low: Any, high: Any) -> Tensor:
        """Return the value within bounds."""
        return self.apply("Clip", low, high)

    def cast(self, dtype: int) -> Tensor:
        """Return the value in another type of `TensorProto`."""
        return self.apply("Cast", to=dtype)

    def unsqueeze(self, axis: int) -> Tensor:
        """Return the value with a further axis."""
        return self.apply("Unsqueeze", np.array([axis]))
