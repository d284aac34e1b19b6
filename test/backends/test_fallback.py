"""A device that fails is replaced, and the features that it took along are made anew."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import BackendError, DeviceError, ModelFiles, Reports
from coarse_loftr_ros.backends.fallback import FallbackBackend
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.backends.openvino_backend import OpenVinoBackend
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.matcher import Matcher
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Status

SIZE = NetworkSize(320, 224)
IMAGES = [view(texture(), motion(3 * k, 2, k), SIZE.width, SIZE.height) for k in range(4)]


class LosesItsDevice(OpenVinoBackend):
    """A real runtime whose device is lost on demand; features of the device are lost with it."""

    lost_at = None
    closed = False

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.made = []

    def encode(self, image):
        self._use("encode")
        self.made.append(super().encode(image))
        return self.made[-1]

    def match(self, reference, current, *arguments):
        self._use("match")
        for features in (reference, current):
            assert any(features is own for own in self.made), "features of another backend"
        return super().match(reference, current, *arguments)

    def close(self):
        self.closed = True

    def _use(self, call):
        assert not self.closed, "used after it was closed"
        if call == self.lost_at:
            raise DeviceError("the GPU failed to match two images: it is gone")


@pytest.fixture
def device():
    return LosesItsDevice(ModelFiles.load(), SIZE, 1)


@pytest.fixture
def other():
    return OnnxRuntimeBackend(ModelFiles.load(), SIZE, 1)


def test_a_backend_that_works_is_used_and_nothing_is_made(device):
    def never():
        raise AssertionError("made without need")

    backend = FallbackBackend(device, never, print)
    matcher = Matcher(ModelFiles.load(), backend)
    found = matcher.match(*map(matcher.encode, IMAGES[:2]), 0.5, 1000)
    plain = Matcher(ModelFiles.load(), device)
    wanted = plain.match(*map(plain.encode, IMAGES[:2]), 0.5, 1000)
    assert found.current.tobytes() == wanted.current.tobytes()
    assert (backend.name, backend.failure) == ("openvino", "")
    assert backend.description == device.description and backend.size == SIZE


@pytest.mark.parametrize("call", ["encode", "match"])
def test_the_other_one_goes_on_with_images_that_were_encoded_before(device, other, call):
    said = []
    backend = FallbackBackend(device, lambda: other, said.append)
    matcher = Matcher(ModelFiles.load(), backend)
    before = [matcher.encode(image) for image in IMAGES[:2]]
    device.lost_at = call
    after = matcher.encode(IMAGES[2])
    plain = Matcher(ModelFiles.load(), other)
    images = [plain.encode(image) for image in IMAGES[:3]]
    for pair, wanted in (
        ((before[0], before[1]), (images[0], images[1])),
        ((before[1], after), (images[1], images[2])),
    ):
        found = matcher.match(*pair, 0.5, 1000)
        assert len(found) > 50
        assert found.current.tobytes() == plain.match(*wanted, 0.5, 1000).current.tobytes()
    assert device.closed and backend.name == "onnxruntime"
    assert backend.failure == "openvino failed: the GPU failed to match two images: it is gone"
    (sentence,) = said
    assert sentence.startswith(backend.failure) and "going on with ONNX Runtime" in sentence


def test_when_the_other_one_fails_too_that_is_said(device):
    second = LosesItsDevice(ModelFiles.load(), SIZE, 1)
    device.lost_at = second.lost_at = "encode"
    backend = FallbackBackend(device, lambda: second, lambda sentence: None)
    for _ in range(2):
        with pytest.raises(DeviceError, match="it is gone"):
            backend.encode(IMAGES[0])


def test_a_stream_keeps_its_keyframe_and_its_tracks(monkeypatch, device, other):
    said = []
    backend = FallbackBackend(device, lambda: other, said.append)
    monkeypatch.setattr(
        "coarse_loftr_ros.matching.pipeline_settings.create_backend", lambda *_: backend
    )
    pipeline = Pipeline(
        PipelineSettings(network_pixels=SIZE.width * SIZE.height),
        MatchSettings(),
        Keyframe(KeyframeRule()),
        (SIZE.width, SIZE.height),
        Reports(),
    )
    frames = [Frame(image, stamp=k, frame_id="camera") for k, image in enumerate(IMAGES)]
    assert pipeline.process(frames[0]) is None
    before = pipeline.process(frames[1])
    device.lost_at = "match"
    after = [pipeline.process(frame) for frame in frames[2:]]
    assert said and pipeline.backend.name == "onnxruntime"
    for result in after:
        assert result.homography.status == Status.OK
        assert result.reference is frames[0] and not result.new_reference
        common = np.intersect1d(before.correspondences.track_id, result.correspondences.track_id)
        assert len(common) > 30


def test_the_oldest_backend_is_closed_before_a_fourth_one_and_all_with_their_pipeline(monkeypatch):
    """On a GPU all would not fit, and features of the one that is closed are gone with it."""
    made = []
    refused = NetworkSize(320, 32)

    def make(name, model, size, *_):
        assert sum(not backend.closed for backend in made) < 3
        if size == refused:
            raise BackendError("the GPU has no memory left to load the engines")
        made.append(LosesItsDevice(model, size, 1))
        return made[-1]

    def pair(height):
        return [Frame(np.ascontiguousarray(image[:height])) for image in IMAGES[:2]]

    monkeypatch.setattr("coarse_loftr_ros.matching.pipeline_settings.create_backend", make)
    settings = PipelineSettings(network_pixels=SIZE.width * SIZE.height)
    pipeline = Pipeline(settings, MatchSettings(), Keyframe(KeyframeRule()), (320, 224))
    frames = [Frame(image, stamp=k, frame_id="camera") for k, image in enumerate(IMAGES)]
    assert pipeline.process(frames[0]) is None
    pipeline.process_pair(*pair(128))
    assert pipeline.process(frames[1]).homography.status == Status.OK
    assert [backend.size for backend in made] == [SIZE, NetworkSize(320, 128)]
    for height in (96, 160, 192):
        pipeline.process_pair(*pair(height))
    assert [backend.closed for backend in made] == [True, True, False, False, False]
    with pytest.raises(BackendError, match="no memory left"):
        pipeline.process_pair(*pair(32))
    assert pipeline.process(frames[2]).homography.status == Status.OK
    assert made[-1].size == SIZE
    pipeline.close()
    assert all(backend.closed for backend in made)
