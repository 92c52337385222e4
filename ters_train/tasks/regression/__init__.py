"""A number of each sample: the column that is predicted, its statistics, loss and scores."""

from .task import Regression, RegressionOptions, RegressionScores

__all__ = ["Regression", "RegressionOptions", "RegressionScores"]
