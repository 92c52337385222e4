"""Training: processes, precision, steps, checkpoints, the loop."""
