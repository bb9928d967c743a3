"""A run in the formats of other programs: ONNX, torch.export, safetensors, a script of its own, CSV, TensorBoard."""
