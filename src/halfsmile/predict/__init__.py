"""Using a trained model: pictures and videos in, faces and expressions out; no torch."""
