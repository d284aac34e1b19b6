"""The exported graphs as a GPU runs them: grey bytes in, and only matches out.

What a CPU does around the graphs is made part of them, so that neither float images nor
similarities nor features are copied between host and GPU. The additions are written in ONNX's text
format and joined to the exported graphs for TensorRT and ONNX Runtime alike.

Run so far: by ONNX Runtime on CPUs and on an H200; TensorRT for RTX built them, none ran them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.decoding import FINE_WINDOW
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["GRAPHS", "addition", "input_shapes", "join", "joined_graph"]

GRAPHS = ("encode", "match")  # of a model, in the order in which a pair needs them

_GREY = """
grey (uint8[1, 1, {height}, {width}] grey_image) => (float[1, 1, {height}, {width}] unit_image)
{{
  byte = Cast <to = 1> (grey_image)
  scale = Constant <value = float {{0.003921568859}}> ()
  unit_image = Mul (byte, scale)
}}
"""

# The row and the column of a numbered cell. Halves are added before rounding down, so that a
# product with the reciprocal in place of a division does not matter.
_PLACE = """\
  {name}_number = Cast <to = 1> ({number})
  {name}_middle = Add ({name}_number, half)
  {name}_rows = Div ({name}_middle, {columns})
  {name}_row = Floor ({name}_rows)
  {name}_rest = Mul ({name}_row, {columns})
  {name}_column = Sub ({name}_number, {name}_rest)"""

# The decoding of backends/decoding.py for all cells at once. Integers are kept in floats, which
# hold them exactly. "Mutual" is asked of the places of the maxima, not of their values: two
# kernels may have summed a similarity in different orders.
_DECODE = """
decode (
  float[1, {cells}, {cells}] weight, float[1, {cells}] reference_sum,
  float[1, {cells}] current_sum, float[1, {cells}] reference_max,
  float[1, {rows4}, {columns4}, channels] reference_fine,
  float[1, {rows4}, {columns4}, channels] current_fine,
  float[{cells}, 2] corners
) => (float[{cells}, 2] position, float[{cells}] confidence)
{{
  none = Constant <value = float {{0.0}}> ()
  half = Constant <value = float {{0.5}}> ()
  one = Constant <value = float {{1.0}}> ()
  vector = Constant <value = int64[1] {{-1}}> ()
  last = Constant <value = int64[1] {{1}}> ()
  innermost_axis = Constant <value = int64[1] {{2}}> ()
  pixels = Constant <value = int64[2] {{{pixels4}, -1}}> ()

  best = ArgMax <axis = 2, keepdims = 0> (weight)
  current_cell = Reshape (best, vector)
  best_reference = ArgMax <axis = 1, keepdims = 0> (weight)
  reference_cell = Reshape (best_reference, vector)
  back = Gather <axis = 0> (reference_cell, current_cell)
  first = Constant <value = int64 {{0}}> ()
  end = Constant <value = int64 {{{cells}}}> ()
  step = Constant <value = int64 {{1}}> ()
  cell = Range (first, end, step)
  mutual = Equal (back, cell)
  highest = Reshape (reference_max, vector)
  row_sum = Reshape (reference_sum, vector)
  column_sums = Reshape (current_sum, vector)
  column_sum = Gather <axis = 0> (column_sums, current_cell)
  row_share = Div (highest, row_sum)
  column_share = Div (highest, column_sum)
  share = Mul (row_share, column_share)
  confidence = Where (mutual, share, none)

  columns = Constant <value = float {{{columns}.0}}> ()
  stride = Constant <value = float {{{stride}.0}}> ()
{place_of_cell}
{place_of_match}
  right_cells = Sub (match_column, cell_column)
  down_cells = Sub (match_row, cell_row)
  right_column = Unsqueeze (right_cells, last)
  down_column = Unsqueeze (down_cells, last)
  moved_cells = Concat <axis = 1> (right_column, down_column)
  moved = Mul (moved_cells, stride)
  centre = Add (corners, moved)

  to_fine = Constant <value = float {{{to_fine}}}> ()
  fine_stride = Constant <value = float {{{fine_stride}.0}}> ()
  reach = Constant <value = float {{{reach}}}> ()
  centre_moved = Sub (centre, to_fine)
  centre_fine = Div (centre_moved, fine_stride)
  start_exact = Sub (centre_fine, reach)
  start = Round (start_exact)

  limit = Constant <value = float[2] {{{last_column4}.0, {last_row4}.0}}> ()
  before_limit = Sub (limit, one)
  corner_moved = Sub (corners, to_fine)
  corner_fine = Div (corner_moved, fine_stride)
  corner_positive = Max (corner_fine, none)
  sampled = Min (corner_positive, limit)
  sampled_floor = Floor (sampled)
  low = Min (sampled_floor, before_limit)
  high_share = Sub (sampled, low)
  low_share = Sub (one, high_share)
  x_axis = Constant <value = int64[1] {{0}}> ()
  y_axis = Constant <value = int64[1] {{1}}> ()
  low_x = Gather <axis = 1> (low, x_axis)
  low_y = Gather <axis = 1> (low, y_axis)
  right = Gather <axis = 1> (high_share, x_axis)
  below = Gather <axis = 1> (high_share, y_axis)
  left = Gather <axis = 1> (low_share, x_axis)
  above = Gather <axis = 1> (low_share, y_axis)
  columns4 = Constant <value = float {{{columns4}.0}}> ()
  low_start = Mul (low_y, columns4)
  top_left_number = Add (low_start, low_x)
  to_neighbours = Constant <value = float[1, 4] {{0.0, 1.0, {columns4}.0, {columns4_1}.0}}> ()
  neighbour_number = Add (top_left_number, to_neighbours)
  neighbour = Cast <to = 7> (neighbour_number)
  top_left_share = Mul (above, left)
  top_right_share = Mul (above, right)
  bottom_left_share = Mul (below, left)
  bottom_right_share = Mul (below, right)
  shares = Concat <axis = 1> (
    top_left_share, top_right_share, bottom_left_share, bottom_right_share)
  shares_column = Unsqueeze (shares, innermost_axis)
  reference_pixels = Reshape (reference_fine, pixels)
  neighbours = Gather <axis = 0> (reference_pixels, neighbour)
  weighted = Mul (neighbours, shares_column)
  sample = ReduceSum <keepdims = 0> (weighted, last)
  squares = Mul (sample, sample)
  square = ReduceSum <keepdims = 1> (squares, last)
  length = Sqrt (square)
  least_length = Constant <value = float {{0.0001}}> ()
  safe_length = Max (length, least_length)
  unit = Div (sample, safe_length)
  fine_scale = Constant <value = float {{{fine_scale}}}> ()
  descriptor = Mul (unit, fine_scale)

  window_x = Constant <value = float[1, {window2}] {{{window_x}}}> ()
  window_y = Constant <value = float[1, {window2}] {{{window_y}}}> ()
  start_x = Gather <axis = 1> (start, x_axis)
  start_y = Gather <axis = 1> (start, y_axis)
  x = Add (start_x, window_x)
  y = Add (start_y, window_y)
  last_x = Constant <value = float {{{last_column4}.0}}> ()
  last_y = Constant <value = float {{{last_row4}.0}}> ()
  x_positive = Max (x, none)
  y_positive = Max (y, none)
  x_inside = Min (x_positive, last_x)
  y_inside = Min (y_positive, last_y)
  x_fits = Equal (x, x_inside)
  y_fits = Equal (y, y_inside)
  fits = And (x_fits, y_fits)
  pixel_start = Mul (y_inside, columns4)
  pixel_number = Add (pixel_start, x_inside)
  pixel = Cast <to = 7> (pixel_number)
  current_pixels = Reshape (current_fine, pixels)
  window = Gather <axis = 0> (current_pixels, pixel)
  descriptor_column = Unsqueeze (descriptor, innermost_axis)
  products_column = MatMul (window, descriptor_column)
  window_shape = Constant <value = int64[2] {{{cells}, {window2}}}> ()
  products_any = Reshape (products_column, window_shape)
  products = Where (fits, products_any, none)

  top = ArgMax <axis = 1, keepdims = 1> (products)
  side = Constant <value = float {{{window}.0}}> ()
  innermost = Constant <value = float {{{window_2}.0}}> ()
{place_of_top}
  row_after = Max (top_row, one)
  column_after = Max (top_column, one)
  row = Min (row_after, innermost)
  column = Min (column_after, innermost)
  row_start = Mul (row, side)
  bin = Add (row_start, column)
  to_bins = Constant <value = float[1, 9] {{{to_bins}}}> ()
  bin_numbers = Add (bin, to_bins)
  bins = Cast <to = 7> (bin_numbers)
  logits = GatherElements <axis = 1> (products, bins)
  shared = Softmax <axis = 1> (logits)
  bin_offsets = Constant <value = float[9, 2] {{{bin_offsets}}}> ()
  within = MatMul (shared, bin_offsets)
  middle = Concat <axis = 1> (column, row)
  in_window = Add (middle, within)
  at_fine = Add (start, in_window)
  at_stride = Mul (at_fine, fine_stride)
  position = Add (at_stride, to_fine)
}}
"""


def addition(model: ModelFiles, graph: str, size: NetworkSize) -> str:
    """What is added to an exported graph, as text: an engine depends on it as on the graph.

    Args:
        model: as exported.
        graph: ``encode`` or ``match``.
        size: of the network image.
    """
    if graph == "encode":
        return _GREY.format(height=size.height, width=size.width)
    rows4, columns4 = size.height // model.fine_stride, size.width // model.fine_stride
    window = range(FINE_WINDOW)
    bins = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return _DECODE.format(
        cells=model.cells(size),
        columns=size.width // model.coarse_stride,
        stride=model.coarse_stride,
        fine_stride=model.fine_stride,
        fine_scale=model.fine_scale,
        to_fine=(model.fine_stride - 1) / 2,
        rows4=rows4,
        columns4=columns4,
        columns4_1=columns4 + 1,
        last_row4=rows4 - 1,
        last_column4=columns4 - 1,
        pixels4=rows4 * columns4,
        window=FINE_WINDOW,
        window_2=FINE_WINDOW - 2,
        window2=FINE_WINDOW**2,
        reach=(FINE_WINDOW - 1) / 2,
        window_x=", ".join(f"{x}.0" for _ in window for x in window),
        window_y=", ".join(f"{y}.0" for y in window for _ in window),
        to_bins=", ".join(f"{dy * FINE_WINDOW + dx}.0" for dx, dy in bins),
        bin_offsets=", ".join(f"{dx}.0, {dy}.0" for dx, dy in bins),
        place_of_cell=_PLACE.format(name="cell", number="cell", columns="columns"),
        place_of_match=_PLACE.format(name="match", number="current_cell", columns="columns"),
        place_of_top=_PLACE.format(name="top", number="top", columns="side"),
    )


def join(exported: bytes, graph: str, added: str) -> bytes:
    """The graph that an engine is built from.

    ``encode``: ``grey_image`` uint8 [1, 1, H, W] -> ``tokens``, ``fine``. ``match``: the tokens and
    fine features of both images and ``corners`` [L, 2] -> ``position`` [L, 2] and ``confidence``
    [L], for each reference cell as ``CellMatches`` has them; 0 where the cells are not mutual.

    Args:
        exported: the graph as exported, or converted to another precision.
        graph: ``encode`` or ``match``.
        added: of ``addition``.

    Raises:
        ImportError: when the ``onnx`` package is missing.
        ValueError: when the bytes are no graph, or one of other inputs and outputs.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(exported)
        other = _parse(model, added)
        if graph == "encode":
            joint = onnx.compose.merge_models(other, model, [("unit_image", "image")])
        else:
            taken = ("weight", "reference_sum", "current_sum", "reference_max")
            joint = onnx.compose.merge_models(
                model, other, [(name, name) for name in taken], outputs=["position", "confidence"]
            )
    except (DecodeError, ValueError, KeyError) as error:
        raise ValueError(f"the graph cannot be extended for the GPU: {error}") from error
    return joint.SerializeToString()


def joined_graph(model: ModelFiles, graph: str, size: NetworkSize, precision: str) -> bytes:
    """One graph of a model as a GPU runs it.

    Args:
        model: as exported.
        graph: one of ``GRAPHS``.
        size: of the network image.
        precision: ``fp32``, ``fp16`` or ``int8``.

    Raises:
        BackendError: when the graph cannot be converted or extended, with what to do.
    """
    try:
        return join(graph_in(model, graph, precision), graph, addition(model, graph, size))
    except ImportError as error:
        raise BackendError(
            f"a GPU's graphs are extended with the onnx package ({error}); pip install onnx"
        ) from error
    except ValueError as error:
        raise BackendError(str(error)) from error


def input_shapes(model: ModelFiles, graph: str, size: NetworkSize) -> dict[str, tuple[int, ...]]:
    """Shapes of a joined graph's inputs; -1 where the number of tokens' channels is, its own.

    Raises:
        BackendError: when the exported graphs are none, or the onnx package is missing.
    """
    if graph == "encode":
        return {"grey_image": (1, 1, size.height, size.width)}
    cells, stride = model.cells(size), model.fine_stride
    try:
        channels = _fine_channels(model.encode.read_bytes())
    except (ImportError, ValueError) as error:
        raise BackendError(f"model {model.name}: {error}") from error
    tokens = (1, cells, -1)
    fine = (1, size.height // stride, size.width // stride, channels)
    return {
        "reference_tokens": tokens,
        "current_tokens": tokens,
        "reference_fine": fine,
        "current_fine": fine,
        "corners": (cells, 2),
    }


def _fine_channels(encode: bytes) -> int:
    """Width of the fine features that an exported graph ``encode`` returns.

    Raises:
        ImportError: when the ``onnx`` package is missing.
        ValueError: when the bytes are no such graph.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load_from_string(encode))
    except (DecodeError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"the graph cannot be read: {error}") from error
    shapes = {value.name: value.type.tensor_type.shape.dim for value in model.graph.output}
    if "fine" not in shapes or not shapes["fine"][-1].dim_value:
        raise ValueError(f"the graph returns {', '.join(shapes)}, and no fine features")
    return shapes["fine"][-1].dim_value


def _parse(exported: ModelProto, added: str) -> ModelProto:
    """The text as a model of the exported one's versions, with the number of fine channels open."""
    import onnx

    graph = onnx.parser.parse_graph(added)
    return onnx.helper.make_model(
        graph, ir_version=exported.ir_version, opset_imports=exported.opset_import
    )
