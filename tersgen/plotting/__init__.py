"""Pictures of all that tersgen reads or makes, in one style, for screens and for journals."""
