"""Makes the harness of the integration tests importable, which soak.py and fuzz.py share with them.

Imported before anything that starts a node or a client.
"""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "test" / "integration"))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Two images sent at once do not fit Fast DDS's own shared memory, and one would be lost.
os.environ.setdefault(
    "FASTDDS_DEFAULT_PROFILES_FILE", str(REPOSITORY / "config" / "fastdds_large_images.xml")
)
