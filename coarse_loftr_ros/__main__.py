"""``python -m coarse_loftr_ros`` is the command line ``coarse-loftr``."""

import sys

from coarse_loftr_ros.commands.cli import main

sys.exit(main())
