"""Labels as training pairs: what is known near them is the truth, and a network trains on it."""

import json
import math

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np
from label_scenes import SIZE, DrawnSequence

from coarse_loftr_lab.labelling.label_files import LabelledImage, Labels, PairLabels
from coarse_loftr_lab.training.label_teacher import open_label_teacher
from coarse_loftr_lab.training.labelled_pairs import LabelledPair, LabelledPairs, labelled_map
from coarse_loftr_lab.training.settings import SequenceSettings
from coarse_loftr_lab.training.supervision import true_cells
from coarse_loftr_lab.training.trainer import train
from coarse_loftr_ros.files.whole_files import whole_files

VIEW = (160, 128)  # half of the images, the same shape


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    return DrawnSequence(tmp_path_factory.mktemp("drawn") / "camera", count=3)


@pytest.fixture(scope="module")
def labels(sequence):
    """True points of three pairs."""
    images = tuple(LabelledImage.of(path, SIZE) for path in sequence.images)
    rng = np.random.default_rng(1)
    pairs = []
    for reference, current in ((0, 1), (1, 2), (0, 2)):
        points = rng.uniform((20, 20), np.array(SIZE) - 20, (250, 2)).astype(np.float32)
        moved = sequence.moved(reference, current, points).astype(np.float32)
        on = ((moved > 0) & (moved < np.array(SIZE) - 1)).all(axis=1)
        share = np.ones(on.sum(), np.float32)
        pairs.append(PairLabels((reference, current), points[on], moved[on], share))
    folder = sequence.folder.parent / "labels"
    with whole_files(folder) as new:
        Labels(images, tuple(pairs), {"teacher": {"name": "the truth"}}).write(new, folder)
    return folder


def test_what_is_known_near_labels_is_the_truth(labels):
    """Grey levels of the view agree where the maps say the same surface is seen."""
    pairs = LabelledPairs(labels, VIEW, seed=1, photometry=0.0)
    batch = LabelledPair.collate([pairs[number] for number in range(12)]).with_truth()
    assert batch.reference.shape == (12, 1, VIEW[1], VIEW[0])
    for map_, own, other in (
        (batch.to_current, batch.reference, batch.current),
        (batch.to_reference, batch.current, batch.reference),
    ):
        target, seen = map_.target, map_.visible
        assert 0.5 < seen.float().mean() < 0.95
        limit = torch.tensor(VIEW) - 1
        grid = target.clamp(-10, 1000) / limit * 2 - 1
        there = torch.nn.functional.grid_sample(other, grid, align_corners=True)
        error = (there - own)[:, 0][seen].abs()
        assert error.median() < 0.02
        _, known = true_cells(map_)
        assert known.float().mean() > 0.4


def test_pair_i_of_a_seed_is_always_the_same(labels):
    one, other = (LabelledPairs(labels, VIEW, seed=3)[7] for _ in range(2))
    assert torch.equal(one.reference, other.reference)
    assert torch.equal(one.to_current, other.to_current)


def test_views_are_disturbed_and_their_truth_is_not(labels):
    plain, disturbed = (LabelledPairs(labels, VIEW, 3, photometry=s) for s in (0.0, 1.0))
    changed = 0
    for number in range(6):
        one, other = plain[number], disturbed[number]
        assert torch.equal(one.to_current, other.to_current)
        changed += not torch.equal(one.current, other.current)
    assert changed == 6


def test_where_labels_side_by_side_move_differently_only_their_own_pixels_are_known():
    points = np.array([[40.0, 60.0], [48.0, 60.0], [100.0, 60.0]])
    targets = points + np.array([[2.0, 0], [9.0, 0], [2.0, 0]])
    moved, known = labelled_map(points, targets, VIEW)
    assert known[60, 40] and not known[60, 44] and known[60, 105]
    np.testing.assert_allclose(moved[60, 48], [57, 60], atol=0.01)
    np.testing.assert_allclose(moved[60, 105], [107, 60], atol=0.01)
    assert not labelled_map(points[:0], targets[:0], VIEW)[1].any()


def test_a_network_trains_on_labels_among_photographs(settings, labels, tmp_path):
    run = settings(
        tmp_path / "run",
        sequences=(SequenceSettings("labelled", labels, share=0.7),),
        **{"width": VIEW[0], "height": VIEW[1], "validate_every": 6},
    )
    figures = train(run)
    assert figures["step"] == 6 and math.isfinite(figures["coarse_loss"])
    lines = (run.output / "training.jsonl").read_text().splitlines()
    assert all(json.loads(line)["fine_loss"] > 0 for line in lines)


def test_a_run_on_labels_of_changed_images_is_refused_before_it_begins(settings, tmp_path):
    sequence = DrawnSequence(tmp_path / "camera", count=2)
    points = np.full((1, 2), 50.0, np.float32)
    images = tuple(LabelledImage.of(path, SIZE) for path in sequence.images)
    pair = PairLabels((0, 1), points, points, np.ones(1, np.float32))
    with whole_files(tmp_path / "labels") as new:
        Labels(images, (pair,), {}).write(new, tmp_path / "labels")
    cv2.imwrite(str(sequence.images[0]), np.zeros(SIZE[::-1], np.uint8))
    run = settings(tmp_path / "run", sequences=(SequenceSettings("labelled", tmp_path / "labels"),))
    with pytest.raises(ValueError, match=r"0\.png has changed since it was labelled"):
        train(run)
    assert not (tmp_path / "run" / "last.pt").exists()


def test_a_teacher_of_distillation_labels(sequence, shared_dir):
    """The published student as an ONNX graph, and as a checkpoint: nearly the same points."""
    weights = shared_dir / "weights" / "coarse_loftr_trt"
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sequence.images[:2]]
    found = []
    for name in ("LoFTR_teacher.onnx", "LoFTR_teacher.pt"):
        teacher = open_label_teacher(weights / name, (640, 480), 0.02, 1)
        matches = teacher.match(*(teacher.describe(image) for image in images))
        truth = sequence.moved(0, 1, matches.reference_points)
        errors = np.linalg.norm(matches.current_points - truth, axis=1)
        assert len(matches) > 60 and np.median(errors) < 0.3
        found.append(len(matches))
    assert found[0] == pytest.approx(found[1], rel=0.05)


def test_a_file_that_is_no_teacher_is_named_by_its_option(tmp_path):
    (tmp_path / "notes.pt").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"--teacher: .*notes.pt holds no weights"):
        open_label_teacher(tmp_path / "notes.pt", (640, 480), 0.2, 1)


def test_loftr_without_kornia_says_what_brings_it(tmp_path):
    from importlib.util import find_spec

    if find_spec("kornia") is not None:
        pytest.skip("kornia is installed")
    torch.save({"state_dict": {}}, tmp_path / "outdoor_ds.ckpt")
    with pytest.raises(ModuleNotFoundError, match="LoFTR as a teacher needs kornia"):
        open_label_teacher(tmp_path / "outdoor_ds.ckpt", (640, 480), 0.2, 1)


def test_loftr_through_kornia_labels_with_its_own_points(sequence, tmp_path):
    feature = pytest.importorskip(
        "kornia.feature", reason="kornia is not installed (pip install ./lab[loftr])"
    )
    torch.manual_seed(0)
    loftr = feature.LoFTR(pretrained=None).eval()
    torch.save({"state_dict": loftr.state_dict()}, tmp_path / "outdoor_ds.ckpt")
    teacher = open_label_teacher(tmp_path / "outdoor_ds.ckpt", (160, 128), 0.0, 1)
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sequence.images[:2]]
    found = teacher.match(*(teacher.describe(image) for image in images))
    views = (
        torch.from_numpy(cv2.resize(i, (160, 128), interpolation=cv2.INTER_AREA)) for i in images
    )
    loftr.coarse_matching.thr = 0.0
    with torch.no_grad():
        own = loftr({f"image{n}": v[None, None].float() / 255 for n, v in enumerate(views)})
    assert teacher.name == "outdoor_ds" and len(found) == len(own["confidence"]) > 0
    expected = (own["keypoints1"].numpy() + 0.5) * 2 - 0.5
    np.testing.assert_allclose(found.current_points, expected, atol=1e-3)
