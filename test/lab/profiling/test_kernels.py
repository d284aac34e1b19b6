"""Times of kernels, given to the layers of the graph that they were made of."""

from dataclasses import replace

import pytest

from coarse_loftr_lab.profiling.kernels import Kernel, times_of_layers
from coarse_loftr_lab.profiling.layer_costs import LayerCost

LAYER = LayerCost("", "", "", (), (), True, 0, 0, 0, 0, None, 1, ())
CONV = replace(LAYER, name="/stem/Conv", kind="Conv", outputs=("/stem/Conv_output_0",))
RELU = replace(LAYER, name="/stem/Relu", kind="Relu", outputs=("/stem/Relu_output_0",), reads=(0,))
NORM = replace(LAYER, name="/head/Norm", kind="LayerNormalization", outputs=("y",), reads=(1,))
LAYERS = (CONV, RELU, NORM)


def kernel(name, ms, product=False, layers=(), readers=()):
    return Kernel(name, product, layers, readers, ms)


@pytest.mark.parametrize(
    ("executed", "expected"),
    [
        # As OpenVINO names what it executes, and says what that was made of.
        (kernel("any", 2.0, True, ("/stem/Conv/WithoutBiases", "/stem/Relu")), (2, 0, 0)),
        (kernel("/head/Norm", 2.0), (0, 0, 2)),
        # As ONNX Runtime does: after the last tensor of what it fused, and with endings.
        (kernel("/stem/Relu_output_0_nchwc", 2.0, True, ("reorder_token_2",)), (2, 0, 0)),
        (kernel("/stem/Conv_token_112", 2.0, True, ("/stem/Conv",)), (2, 0, 0)),
        (kernel("any", 2.0, False, ("y",)), (0, 0, 2)),
    ],
)
def test_a_kernel_is_found_by_the_names_that_runtimes_give(executed, expected):
    times = times_of_layers([executed], LAYERS)
    assert times.ms == expected and times.unknown_ms == 0
    assert times.besides_ms == ((0, 0, 0) if executed.product else expected)


def test_what_no_layer_asked_for_works_for_the_layer_that_reads_it():
    kernels = [
        kernel("Reorder", 1.0, readers=(1,)),
        kernel("Transpose_7", 2.0, readers=(0, 2)),
        kernel("/stem/Conv", 4.0, True),
    ]
    times = times_of_layers(kernels, LAYERS)
    assert times.ms == (7, 0, 0) and times.besides_ms == (3, 0, 0)


def test_what_works_for_nothing_that_is_known_is_told_apart():
    kernels = [kernel("Reorder", 1.0, readers=(1,)), kernel("Other", 0.0, readers=(0,))]
    assert times_of_layers(kernels, LAYERS).unknown_ms == 1
