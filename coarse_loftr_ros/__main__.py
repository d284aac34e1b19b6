"""``python -m coarse_loftr_ros`` is the command line ``coarse-loftr``."""

import sys

from coarse_loftr_ros.tools.cli import main

sys.exit(main())
