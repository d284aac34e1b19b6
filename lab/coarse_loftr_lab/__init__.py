"""The lab: trains, measures, exports and quantises the networks that coarse_loftr_ros runs."""

import coarse_loftr_ros  # noqa: F401 - before cv2, which reads its limits when it is loaded

__version__ = "0.1.0"
