"""TensorRT: engines built from the model's ONNX graphs, kept in a cache that is never trusted."""
