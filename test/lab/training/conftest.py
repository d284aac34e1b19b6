"""PyTorch on one thread (its threads stand in each other's way), and runs of seconds."""

import cv2
import pytest
from scenes import texture

from coarse_loftr_lab.evaluation.data.split import held_out


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


@pytest.fixture(scope="session")
def tiny_config():
    """The smallest network of the family."""
    from coarse_loftr_lab.network.matcher_net import MatcherConfig

    return MatcherConfig(
        stage_channels=(8, 8, 16, 16),
        stage_blocks=(0, 0, 0, 0),
        token_channels=16,
        heads=2,
        cross_layers=1,
        fine_channels=8,
    )


@pytest.fixture(scope="session")
def settings(photographs, tiny_config):
    """A maker of settings for runs of six steps."""
    from coarse_loftr_lab.training.settings import TrainingSettings

    def make(output, **changes):
        values = {
            "images": (photographs,),
            "steps": 6,
            "batch": 2,
            "width": 96,
            "height": 64,
            "warmup": 2,
            "validate_every": 3,
            "checkpoint_every": 3,
            "log_every": 2,
            "validation_pairs": 2,
            "device": "cpu",
            "network": tiny_config,
        }
        return TrainingSettings(output=output, **{**values, **changes})

    return make
