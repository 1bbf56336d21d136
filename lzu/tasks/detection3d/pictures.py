"""The pictures of 3-D detection that a suite makes, and of which runs.

The paper's analysis (Eq. 18, Figures 2, 3, 5 and 10) is of the warps of 2-D detection; it is not
repeated.
"""

from lzu.experiments.pictured import case_picture, frame_picture, prior_picture
from lzu.tasks.detection3d.tables import PRIMARY

PICTURES = (
    prior_picture("prior"),
    frame_picture("zoom", "boxes_3d"),
    case_picture(PRIMARY[1], "figure6_3d"),
)
