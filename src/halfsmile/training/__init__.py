"""The loop, its checkpoints and optimizers, and the stages that drive it."""
