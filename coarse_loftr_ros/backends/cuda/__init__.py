"""ONNX Runtime on an NVIDIA GPU: its providers, and tensors that lie on the device."""
