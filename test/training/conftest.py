"""PyTorch on one thread (its threads stand in each other's way), and photographs to train on."""

import cv2
import pytest
from scenes import texture

from coarse_loftr_ros.evaluation.data.split import held_out


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """A folder of pictures, some of which the split by name keeps out of training."""
    folder = tmp_path_factory.mktemp("training") / "photographs"
    folder.mkdir()
    paths = [folder / f"{number:03d}.png" for number in range(200)]
    kept_out = [path for path in paths if held_out(path)]
    for number, path in enumerate(paths[:20] + kept_out[:4]):
        cv2.imwrite(str(path), texture(300, 240, seed=number))
    return folder


@pytest.fixture
def tiny_config():
    """The smallest network of the family."""
    from coarse_loftr_ros.network.matcher_net import MatcherConfig

    return MatcherConfig(
        stage_channels=(8, 8, 16, 16),
        stage_blocks=(0, 0, 0, 0),
        token_channels=16,
        heads=2,
        cross_layers=1,
        fine_channels=8,
    )
