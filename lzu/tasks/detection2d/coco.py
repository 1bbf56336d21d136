"""What COCO's average precision is defined by."""

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Of the intersection over union."""
RECALLS = np.linspace(0, 1, 101)
"""At which precision is read off."""
MOST_DETECTIONS = 100
"""Of an image and category, those of highest score count."""
