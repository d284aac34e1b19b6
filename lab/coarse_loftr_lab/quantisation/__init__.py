"""Other number formats for an exported model: ONNX graphs in, ONNX graphs out."""
