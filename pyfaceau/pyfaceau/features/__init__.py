"""Features of the action-unit models: descriptors of a frame and their running medians."""

from pyfaceau.features.descriptor import HOG_SIZE, FrameDescriptor
from pyfaceau.features.medians import DescriptorMedian

__all__ = ["HOG_SIZE", "DescriptorMedian", "FrameDescriptor"]
