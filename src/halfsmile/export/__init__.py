"""From a trained run to a file that predicts anywhere: ONNX, 8 bits, OpenVINO, each checked against torch."""
