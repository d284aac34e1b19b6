"""`coarse-loftr label`: what a teacher finds in every view of a sequence is its truth."""

import json

import cv2
import numpy as np
import pytest
from label_scenes import SIZE, DrawnSequence

from coarse_loftr_lab.labelling.label_files import Labels
from coarse_loftr_lab.labelling.transforms import DEFAULT_TRANSFORMS
from coarse_loftr_ros.commands.registry import make_parser


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    return DrawnSequence(tmp_path_factory.mktemp("drawn") / "camera")


@pytest.fixture(scope="module")
def done(run_tool, sequence, tmp_path_factory):
    """The command's run, its labels and its figures."""
    folder = tmp_path_factory.mktemp("labels") / "labels"
    figures = folder.parent / "figures.json"
    run = run_tool(
        *("label", sequence.folder, "-o", folder, "--teacher", "fast", "--gaps", "1,2"),
        *("--threads", 1, "--json", figures),
    )
    assert run.returncode == 0, run.stderr
    return run, folder, json.loads(figures.read_text())


def test_labels_agree_with_the_truth(done, sequence):
    _, folder, _ = done
    labels = Labels.read(folder)
    gaps = []
    for pair in labels.pairs:
        paths = [labels.images[number].path.resolve() for number in pair.images]
        reference, current = (sequence.images.index(path) for path in paths)
        gaps.append(current - reference)
        truth = sequence.moved(reference, current, pair.reference)
        errors = np.linalg.norm(pair.current - truth, axis=1)
        assert len(errors) > 150
        assert np.median(errors) < 0.15 and np.quantile(errors, 0.99) < 1.0
        assert (pair.agreement >= 0.6).all() and (pair.agreement <= 1).all()
        spread_out = np.ptp(pair.reference, axis=0)
        assert (spread_out > 0.7 * np.array(SIZE)).all()
    assert sorted(gaps) == [1, 1, 1, 2, 2]


def test_the_report_says_how_much_became_labels_and_how_well_the_views_agree(done):
    run, folder, figures = done
    first, second, everything = figures["report"]["gaps"]
    assert (first["gap"], second["gap"], everything["gap"]) == (1, 2, 0)
    assert everything["labelled"] == everything["pairs"] == 5
    points = sum(len(pair.agreement) for pair in Labels.read(folder).pairs)
    assert everything["labels"] == first["labels"] + second["labels"] == points
    assert 0.6 < everything["yield_share"] <= everything["consistency"] <= 1
    assert everything["spread_px"] < 0.3
    views = {view["transform"]: view for view in figures["report"]["views"]}
    assert list(views)[:2] == ["original", "flip"] and len(views) == 7
    assert views["zoom1.4"]["shown"] < views["flip"]["shown"]
    assert all(view["agrees"] > 0.6 for view in views.values())
    assert "consistency %" in run.stdout and f"written: {folder}, by fast" in run.stdout


def test_the_folder_says_who_made_the_labels_and_of_what(done, sequence):
    _, folder, _ = done
    assert sorted(path.name for path in folder.iterdir()) == [
        "labels.npz",
        "manifest.json",
        "picture.png",
    ]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["teacher"]["name"] == "fast" and manifest["teacher"]["model"]["sha256"]
    assert manifest["settings"]["gaps"] == [1, 2]
    assert [image["size"] for image in manifest["images"]] == [list(SIZE)] * 4
    picture = cv2.imread(str(folder / "picture.png"))
    assert picture.shape[1] > 1000 and picture.std() > 10


def test_the_help_names_the_transforms_that_are_used(sequence):
    args = make_parser().parse_args(["label", str(sequence.folder), "-o", "labels"])
    assert args.transforms == DEFAULT_TRANSFORMS


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Folders that cannot be labelled."""
    root = tmp_path_factory.mktemp("elsewhere")
    for name in ("empty", "one", "mixed", "broken"):
        (root / name).mkdir()
    grey = np.full((64, 96), 90, np.uint8)
    for name in ("one/1.png", "mixed/1.png", "mixed/2.png", "broken/1.png"):
        cv2.imwrite(str(root / name), grey)
    cv2.imwrite(str(root / "mixed" / "3.png"), grey[:, :80])
    (root / "broken" / "2.png").write_bytes(b"no image")
    return root


@pytest.mark.parametrize(
    ("folder", "options", "sentence"),
    [
        ("nowhere", (), "there is no folder"),
        ("empty", (), "has no image in it"),
        ("one", (), "has one image, 1.png; a sequence has at least two"),
        ("one/1.png", (), "1.png is a file; it must be a folder"),
        ("mixed", (), "3.png is 80x64 px and 1.png is 96x64; the images of a sequence must be of"),
        ("broken", (), "2.png is not an image"),
        ("camera", ("--gaps", "1,two"), "--gaps is '1,two'; it must be whole numbers"),
        ("camera", ("--gaps", "0,1"), "gaps are 0, 1; they must differ and be at least 1"),
        ("camera", ("--gaps", "9"), "the longest sequence has 4 images; a gap of 9 needs more"),
        ("camera", ("--step", "0"), "step is 0; it must be at least 1"),
        ("camera", ("--transforms", "turn45"), "transform is 'turn45'; it must be flip, turn90"),
        ("camera", ("--transforms", "zoom9"), "transform is 'zoom9'"),
        ("camera", ("--transforms", "flip,flip"), "it must be a list with commas of different"),
        ("camera", ("--agreement", "1.5"), "agreement is 1.5; it must be above 0 and at most 1"),
        ("camera", ("--tolerance-px", "0"), "tolerance_px is 0; it must be above 0"),
        ("camera", ("--teacher", "superglue"), "is 'superglue'; it must be fast, a folder"),
        ("camera", ("--teacher", "fast", "--threshold", "2"), "confidence_threshold is 2"),
    ],
)
def test_what_cannot_be_labelled_is_said_in_a_sentence(
    refusal, elsewhere, sequence, tmp_path, folder, options, sentence
):
    images = sequence.folder if folder == "camera" else elsewhere / folder
    assert sentence in refusal("label", images, "-o", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_where_the_views_do_not_agree_nothing_is_written(run_tool, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 96), 90 + number, np.uint8))
    run = run_tool(
        *("label", folder, "-o", tmp_path / "out", "--teacher", "fast", "--gaps", 1, "--threads", 1)
    )
    assert run.returncode == 2 and "no pair has 30 labels" in run.stderr
    assert "nothing is written" in run.stderr and not (tmp_path / "out").exists()


def test_a_teacher_that_needs_pytorch_says_so_where_it_is_not_installed(
    refusal, sequence, tmp_path
):
    from importlib.util import find_spec

    if find_spec("torch") is not None:
        pytest.skip("PyTorch is installed")
    graph = tmp_path / "teacher.onnx"
    graph.touch()
    said = refusal("label", sequence.folder, "-o", tmp_path / "out", "--teacher", graph)
    assert "not installed: torch" in said
