"""The species at each pixel of a scene: loss, scores and predictions."""

from .task import Segmentation, SegmentationOptions, SegmentationScores

__all__ = ["Segmentation", "SegmentationOptions", "SegmentationScores"]
