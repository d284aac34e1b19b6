"""From which photographs a quantised encoder takes its ranges."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_lab.evaluation.data.samples import SampleImages
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_ros.backends.base import ModelFiles


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for place in ("street", "kitchen"):
        (folder / place).mkdir()
        for number in range(30):
            image = texture(150, 110, seed=number)
            cv2.imwrite(str(folder / place / f"{number}.png"), image)
    return folder


def test_samples_are_the_same_every_time_and_come_from_every_folder(photographs):
    model = ModelFiles.load()
    samples = SampleImages(photographs, 20, model)
    assert [path.parent.name for path in samples.files].count("street") in range(5, 16)
    again = SampleImages(photographs, 20, model)
    assert samples.files == again.files
    np.testing.assert_array_equal(samples[7], again[7])
    assert SampleImages(photographs, 10, model).files == samples.files[:10]


def test_samples_have_sizes_that_the_network_takes(shared_dir):
    model = ModelFiles.load()
    samples = SampleImages(shared_dir / "data/train", 6, model)
    shapes = [samples[k].shape for k in range(6)]
    assert len(set(shapes)) > 2
    for _, _, height, width in shapes:
        assert height % 32 == width % 32 == 0
    assert samples[0].dtype == np.float32 and 0 <= samples[0].min() < samples[0].max() <= 1


def test_samples_leave_out_what_accuracy_is_measured_on(photographs):
    everything = SampleImages(photographs, 1000, ModelFiles.load()).files
    kept_out = [path for path in Path(photographs).resolve().rglob("*.png") if held_out(path)]
    assert kept_out and not set(kept_out) & set(everything)
    assert len(everything) + len(kept_out) == 60


def test_no_samples_is_refused(photographs):
    with pytest.raises(ValueError, match="samples is 0; it must be at least 1"):
        SampleImages(photographs, 0, ModelFiles.load())
