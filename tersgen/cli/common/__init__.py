"""What the command lines of ``tersgen`` and ``ters_train`` share."""
