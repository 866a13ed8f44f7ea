"""What the tools share: configs, the training loop, hooks, checkpoints, evaluation."""
