"""Networks: the Vision Transformer, its classifier, and the loading of published weights."""
