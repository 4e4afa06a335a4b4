from contextlib import suppress

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from anmok.core.errors import ArtefactError
from anmok.ship.artefact import Artefact, Graph, read_artefact, write_artefact
from anmok.ship.container import IR_GRAPH, IR_WEIGHTS, MANIFEST, ONNX_GRAPH, seal
from anmok.ship.graph import to_openvino
from anmok.ship.hostile import check_ir, check_onnx


def external(location="../../../../etc/passwd"):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def model(*nodes, initializers=(), functions=()):
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graph = helper.make_graph(list(nodes), "g", [], [output], list(initializers))
    return helper.make_model(graph, functions=list(functions)).SerializeToString()


def constant(**attributes):
    return helper.make_node("Constant", [], ["y"], **attributes)


def hiding_places():
    inner = helper.make_graph([constant(value=external())], "inner", [],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])])  # fmt: skip
    sparse = helper.make_sparse_tensor(external(), numpy_helper.from_array(np.arange(4)), [8])
    function = helper.make_function("own", "f", [], ["y"], [constant(value=external())],
                                    [helper.make_opsetid("", 17)])  # fmt: skip
    return {
        "initializer": model(constant(value_float=1.0), initializers=[external()]),
        "absolute": model(initializers=[external("/etc/passwd")]),
        "beside it": model(initializers=[external("weights.bin")]),
        "attribute": model(constant(value=external())),
        "subgraph": model(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)),
        "sparse": model(constant(sparse_value=sparse)),
        "function": model(helper.make_node("f", [], ["y"], domain="own"), functions=[function]),
    }


@pytest.mark.parametrize("place", hiding_places())
def test_no_tensor_may_lie_in_another_file(place, tmp_path, artefact):
    graph = hiding_places()[place]
    with pytest.raises(ArtefactError, match="outside its file"):
        check_onnx(graph)
    manifest = read_manifest(artefact, tmp_path)
    seal(tmp_path / "bad.anmok", {MANIFEST: manifest, ONNX_GRAPH: graph})
    with pytest.raises(ArtefactError, match=r"bad\.anmok"):
        read_artefact(tmp_path / "bad.anmok")


def read_manifest(artefact, folder):
    from anmok.ship.container import unseal

    write_artefact(folder / "good.anmok", artefact)
    return unseal(folder / "good.anmok")[0][MANIFEST]


def test_the_location_alone_is_enough(tmp_path):
    """A tensor with `external_data` but without the flag: readers differ, so it is refused."""
    tensor = external()
    tensor.data_location = TensorProto.DEFAULT
    with pytest.raises(ArtefactError):
        check_onnx(model(initializers=[tensor]))


def test_sound_graphs_pass(artefact):
    check_onnx(artefact.graph.onnx)
    onnx.checker.check_model(onnx.load_from_string(artefact.graph.onnx))


def field(number, content):
    """A length-delimited field of protobuf's wire format."""
    length, size = b"", len(content)
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_graphs_nested_without_end_are_refused():
    graph = b""
    for _ in range(2000):  # a graph in an attribute (6) of a node (5) of a graph (1)
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(ArtefactError, match="nested"):
        check_onnx(field(7, graph))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_judged_by_one_error(noise):
    with pytest.raises(ArtefactError):
        check_ir(noise, b"")
    with suppress(ArtefactError):
        check_onnx(noise)


def test_flipped_bytes_raise_nothing_else(artefact):
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(artefact.graph.onnx)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        with suppress(ArtefactError):
            check_onnx(bytes(damaged))


@pytest.fixture(scope="module")
def openvino_graph(artefact):
    pytest.importorskip("openvino")
    return to_openvino(artefact.graph)


def test_openvino_constants_stay_inside(openvino_graph, tmp_path, artefact):
    xml, weights = openvino_graph.xml, openvino_graph.weights
    check_ir(xml, weights)
    for bad in (
        xml.replace(b'offset="0"', b'offset="999999999"'),
        xml.replace(b'offset="0"', b'offset="-4"'),
        xml.replace(b'offset="0"', b'offset="0x0"'),
    ):
        assert bad != xml
        with pytest.raises(ArtefactError, match="outside its file"):
            check_ir(bad, weights)
    with pytest.raises(ArtefactError, match="outside its file"):
        check_ir(xml, weights[:-4])
    bomb = b'<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaa">]>' + xml.split(b"?>", 1)[1]
    for text in (bomb, bomb.decode().encode("utf-16")):
        with pytest.raises(ArtefactError, match="entities"):
            check_ir(text, weights)
    seal(tmp_path / "a.anmok", {MANIFEST: read_manifest(artefact, tmp_path), IR_GRAPH: xml, IR_WEIGHTS: weights[:-4]})
    with pytest.raises(ArtefactError, match="outside its file"):
        read_artefact(tmp_path / "a.anmok")


def test_one_graph_and_no_more(openvino_graph, artefact, tmp_path):
    both = Graph(artefact.graph.onnx, openvino_graph.xml, openvino_graph.weights)
    for graph in (Graph(), both, Graph(xml=openvino_graph.xml)):
        with pytest.raises(ArtefactError, match="no graph, or two"):
            write_artefact(tmp_path / "a.anmok", Artefact(artefact.manifest, graph))
    assert not (tmp_path / "a.anmok").exists()
