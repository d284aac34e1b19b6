"""Our code of the published student computes what the published ONNX graph computes."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np
import onnxruntime

from coarse_loftr_lab.network.published_student import PublishedStudent, StudentConfig


@pytest.fixture(scope="module")
def weights(shared_dir):
    return shared_dir / "weights" / "coarse_loftr_trt"


@pytest.fixture(scope="module")
def student(weights):
    return PublishedStudent.from_checkpoint(weights / "LoFTR_teacher.pt")


def real_pairs(shared_dir):
    kitti = shared_dir / "data/dev/vo/kitti06_stereo_51"
    boat = shared_dir / "data/dev/homography/boat"
    lefts = sorted((kitti / "image_0").iterdir())
    yield boat / "1.png", boat / "2.png"
    yield lefts[0], lefts[1]
    yield lefts[10], sorted((kitti / "image_1").iterdir())[10]


def network_image(path):
    grey = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (640, 480))
    return grey[None, None].astype(np.float32) / 255


def test_confidence_and_similarity_agree_with_the_published_graph(shared_dir, weights, student):
    session = onnxruntime.InferenceSession(weights / "LoFTR_teacher.onnx")
    for pair in real_pairs(shared_dir):
        images = [network_image(path) for path in pair]
        expected = session.run(None, dict(zip(("img0", "img1"), images, strict=True)))
        with torch.no_grad():
            computed = student(*map(torch.from_numpy, images))
        for ours, theirs in zip(computed, expected, strict=True):
            assert theirs.std() > 1e-5
            np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)


def test_encoding_once_and_matching_later_is_the_same_as_the_pair(shared_dir, student):
    images = [torch.from_numpy(network_image(p)) for p in next(real_pairs(shared_dir))]
    with torch.no_grad():
        pair, _ = student(*images)
        split, _ = student.match(*(student.encode(image) for image in images))
    assert torch.equal(pair, split)


def test_the_other_published_checkpoint_loads_too(weights):
    model = PublishedStudent.from_checkpoint(weights / "LoFTR_no_teacher.pt")
    assert not model.training


def test_weights_of_another_shape_are_refused(weights):
    with pytest.raises(RuntimeError, match="size mismatch"):
        PublishedStudent.from_checkpoint(
            weights / "LoFTR_teacher.pt", StudentConfig(block_channels=(8, 16, 32, 48))
        )


@pytest.mark.parametrize(
    ("channels", "stride"), [((8, 16, 32), 8), ((8, 16, 32, 32), 16), ((4, 8, 8, 16, 16), 32)]
)
def test_coarse_stride_and_layers_follow_the_configuration(channels, stride):
    config = StudentConfig(block_channels=channels, layers=("self", "cross"), heads=2)
    assert config.coarse_stride == stride
    model = PublishedStudent(config).eval()
    with torch.no_grad():
        confidence, _ = model(torch.rand(1, 1, 96, 128), torch.rand(1, 1, 96, 128))
    cells = (96 // stride) * (128 // stride)
    assert confidence.shape == (1, cells, cells)


def test_an_unknown_layer_is_refused():
    with pytest.raises(ValueError, match="layers are"):
        StudentConfig(layers=("self", "both"))


def test_a_file_without_weights_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(ValueError, match="expected a model_state_dict"):
        PublishedStudent.from_checkpoint(tmp_path / "empty.pt")
