"""OpenVINO's graph for pieces of one size answers as the one for pieces of any size does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from anmok.ship import engines
from anmok.ship.artefact import INPUT, Graph
from anmok.ship.engines import openvino_here, openvino_of_thousands


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_the_last_piece_is_filled_up_and_cut_off_again(artefact, monkeypatch, count):
    monkeypatch.setattr(engines, "PIECE", 32 * 32 * 3)  # pieces of a few of these pictures
    pixels = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    wanted = openvino_here(artefact.graph, "float32").run({INPUT: pixels})
    found = openvino_of_thousands(artefact.graph, "float32").run({INPUT: pixels})
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert len(values) == count
        np.testing.assert_array_equal(found[name], values)


def test_a_graph_that_takes_any_size_keeps_to_it():
    """The sum over as many regions as a picture has: no piece has one size."""
    any_size = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", "regions"])
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, ["batch", 1])
    sums = helper.make_node("ReduceSum", [INPUT], ["total"], keepdims=1)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    sums.input.append("axes")
    model = helper.make_model(
        helper.make_graph([sums], "sums", [any_size], [total], [axes]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    engine = openvino_of_thousands(Graph(onnx=model.SerializeToString()), "float32")
    for shape in (3, 5), (1, 2), (9, 4):
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_allclose(engine.run({INPUT: values})["total"], values.sum(1, keepdims=True))
