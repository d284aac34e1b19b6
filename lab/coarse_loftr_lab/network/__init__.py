"""PyTorch networks, their checkpoints and their ONNX export; needs the ``train`` extra."""
