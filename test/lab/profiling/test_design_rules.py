"""Rules for fast networks on graphs that break one each."""

import numpy as np
import pytest

from coarse_loftr_lab.profiling.design_rules import RULES, check_rules
from coarse_loftr_lab.profiling.kernels import LayerTimes
from coarse_loftr_lab.profiling.layer_costs import layer_costs
from coarse_loftr_lab.profiling.results import GraphProfile, RuntimeTimes

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")


def profile(body, times=(), **shapes):
    """A graph from x [1, 4, 8, 8] to y, by weights of these shapes."""
    text = f"g (float[1, 4, 8, 8] x) => (float[N, C, H, W] y) {{ {body} }}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    for name, shape in shapes.items():
        weights = onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
        model.graph.initializer.append(weights)
    for node in model.graph.node:
        node.name = f"/{node.output[0][0]}/{node.output[0]}"
    layers = layer_costs(model.SerializeToString(), {"x": np.zeros((1, 4, 8, 8), np.float32)})
    measured = ()
    if times:
        besides = tuple(0.0 if one.product else ms for one, ms in zip(layers, times, strict=True))
        measured = (RuntimeTimes("openvino", LayerTimes(tuple(times), besides, 0.0), sum(times)),)
    return GraphProfile("encode", layers, measured)


def broken(*args, **kwargs):
    return [(one.rule, one.where) for one in check_rules(profile(*args, **kwargs))]


def test_a_plain_convolution_breaks_nothing():
    assert broken("y = Conv (x, w)", times=(1.0,), w=(4, 4, 1, 1)) == []


def test_unequal_channels_are_named_the_worst_first_with_what_they_move():
    found = check_rules(profile("a = Conv (x, v) y = Conv (a, w)", v=(6, 4, 1, 1), w=(24, 6, 1, 1)))
    assert [(one.rule, one.where) for one in found] == [("channels", "/y/y"), ("channels", "/a/a")]
    # (6 + 24) / (2 sqrt(6 * 24)) = 1.25
    assert found[0].what.startswith("6 to 24: 25% more")


def test_groups_are_named():
    assert broken("y = Conv <group = 4> (x, w)", w=(4, 1, 1, 1)) == [("groups", "/y/y")]


def test_products_of_one_form_that_read_one_tensor_are_named():
    body = "a = Conv (x, v) b = Conv (x, w) y = Add (a, b)"
    assert broken(body, v=(4, 4, 1, 1), w=(4, 4, 1, 1)) == [("fragmentation", "x")]
    other_kernel = "a = Conv <pads = [1, 1, 1, 1]> (x, v) b = Conv (x, w) y = Add (a, b)"
    assert broken(other_kernel, v=(4, 4, 3, 3), w=(4, 4, 1, 1)) == []


def test_time_in_other_operations_is_named_where_it_is_more_than_a_quarter():
    body = "a = Conv (x, w) y = Sigmoid (a)"
    (found,) = check_rules(profile(body, times=(1.0, 1.0), w=(4, 4, 1, 1)))
    assert (found.rule, found.where) == ("element-wise", "encode")
    assert "50% of openvino's time: /y/y 50%" in found.what
    assert broken(body, times=(4.0, 1.0), w=(4, 4, 1, 1)) == []


def test_a_block_of_many_small_products_in_a_row_is_named():
    body = """s = Conv <pads = [1, 1, 1, 1]> (x, v)
        d1 = Conv (s, w) d2 = Conv (d1, w) d3 = Conv (d2, w)
        y = Conv <pads = [1, 1, 1, 1]> (d3, v)"""
    weights = {"v": (4, 4, 3, 3), "w": (4, 4, 1, 1)}
    (found,) = check_rules(profile(body, **weights))
    # 3 of 5 products; kernels of 9, 1, 1, 1 and 9: 3 of 21 multiplications.
    assert (found.rule, found.where) == ("depth", "d")
    assert found.what.startswith("3 of 5 products in a row for 14%")


def test_every_rule_is_described():
    assert set(RULES) == {"channels", "groups", "fragmentation", "element-wise", "depth"}
