"""The report is one page that needs nothing else, and shows what the run wrote."""

import base64
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np

from coarse_loftr_lab.training.board import Board
from coarse_loftr_lab.training.curves import plot
from coarse_loftr_lab.training.html_report import write_report
from coarse_loftr_lab.training.pictures import match_picture
from coarse_loftr_lab.training.pixel_maps import DenseMap
from coarse_loftr_lab.training.run_folder import RunFolder
from coarse_loftr_lab.training.trainer import train
from coarse_loftr_lab.training.truth import PairBatch, maps_from_homography

EMPTY = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """Every tag is closed in order; remembers texts and attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def folder(settings, tmp_path_factory):
    """A finished run whose name needs escaping."""
    run = settings(tmp_path_factory.mktemp("runs") / "a <b> & c", steps=6, validate_every=1)
    train(run)
    return RunFolder(run.output)


@pytest.fixture(scope="module")
def page(folder):
    return Page(folder.report.read_text())


def test_the_page_is_well_formed_and_loads_nothing(page):
    names = [name for name, _ in page.attributes]
    assert "href" not in names and "onclick" not in names
    sources = [value for name, value in page.attributes if name == "src"]
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "script" not in page.texts


def test_the_page_says_what_the_run_was(page, folder):
    text = " ".join(page.texts)
    final = json.loads((folder.path / "final.json").read_text())
    assert "Training run a <b> & c" in text and "finished" in text
    assert f"{final['coarse_recall']:.1%}" in text and f"{final['loss']:.3f}" in text
    assert folder.read("environment.json")["revision"] in text
    assert "token_channels: 16" in text and torch.__version__ in text
    for title in ("Loss", "Best cell is right", "Learning rate", "Time spent waiting for data"):
        assert any(part.startswith(title) for part in page.texts), title


def test_the_newest_picture_comes_first_and_older_ones_are_spread_over_the_run(page, folder):
    captions = [text for text in page.texts if re.fullmatch(r"step \d+", text)]
    assert captions == ["step 6", "step 4", "step 2", "step 1"]
    sources = [value for name, value in page.attributes if name == "src"]
    shown = cv2.imdecode(
        np.frombuffer(base64.b64decode(sources[0].partition(",")[2]), np.uint8), cv2.IMREAD_COLOR
    )
    written = cv2.imread(str(folder.pictures / "step_0000006.png"))
    assert shown.shape == written.shape
    assert np.abs(shown.astype(int) - written).mean() < 8


def test_a_run_that_has_only_begun_has_a_report(settings, tmp_path):
    folder = RunFolder(tmp_path)
    folder.begin(settings(tmp_path), 0, 1)
    text = " ".join(Page(write_report(folder).read_text()).texts)
    assert "still running or stopped" in text and "No validation yet" in text


def test_a_curve_goes_through_its_points():
    svg = ET.fromstring(plot("Loss", [("training", [0, 50, 100], [1.0, 3.0, 2.0])], "nats"))
    points = [
        tuple(map(float, point.split(",")))
        for point in svg.find(".//polyline").get("points").split()
    ]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 < y2 < y0  # upwards is smaller
    assert (y0 - y1) == pytest.approx(2 * (y2 - y1), abs=0.3)
    texts = [element.text for element in svg.iter("text")]
    assert "Loss (nats)" in texts and "100" in texts and "3" in texts


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-2.0, 3.0], [1e-7, 3e-7], [0.0, 2e6]])
def test_any_range_has_ticks_around_it(values):
    svg = ET.fromstring(plot("a & b", [("x < y", range(len(values)), values)]))
    for circle in svg.iter("circle"):
        assert 0 <= float(circle.get("cx")) <= 460 and 0 <= float(circle.get("cy")) <= 250


def test_long_curves_are_thinned_to_their_means():
    svg = ET.fromstring(plot("Loss", [("training", range(10_000), [1.0, 3.0] * 5000)]))
    points = svg.find(".//polyline").get("points").split()
    assert len(points) <= 300
    assert len({point.partition(",")[2] for point in points}) == 1  # all are 2


def shifted_pair(cells):
    """One pair whose current view is the reference moved right, and its true similarities."""
    shift = torch.tensor([[1.0, 0, 16 * cells], [0, 1, 0], [0, 0, 1]])
    maps = maps_from_homography(shift[None], (96, 64))
    back = maps_from_homography(torch.linalg.inv(shift)[None], (96, 64))
    grey = torch.full((1, 1, 64, 96), 0.5)
    return PairBatch(grey, grey, DenseMap(*maps), DenseMap(*back))


def test_pictures_show_right_matches_green_and_wrong_ones_red():
    batch = shifted_pair(0)
    right = torch.eye(24)[None] * 20
    colours = {}
    for name, similarity in (("right", right), ("wrong", right.roll(3, dims=2))):
        picture = match_picture(batch, similarity).astype(int)
        drawn = picture[np.abs(picture - 128).max(axis=2) > 60]
        drawn = drawn[drawn.max(axis=1) - drawn.min(axis=1) > 100]
        colours[name] = drawn.mean(axis=0)
    assert colours["right"][1] > 150 > colours["right"][2]
    assert colours["wrong"][2] > 150 > colours["wrong"][1]


def test_pictures_show_matches_without_truth_grey():
    batch = shifted_pair(0)
    target, visible = batch.to_current.dense().target, batch.to_current.dense().visible
    hidden = DenseMap(target, torch.zeros_like(visible))
    batch = PairBatch(batch.reference, batch.current, hidden, hidden)
    picture = match_picture(batch, torch.eye(24)[None] * 20).astype(int)
    assert (picture.max(axis=2) == picture.min(axis=2)).all()
    assert (picture == 160).any()


def test_tensorboard_gets_curves_and_pictures(settings, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed (make test-train)")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings(tmp_path, tensorboard=True))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"training/loss", "training/pairs_per_second", "validation/loss"} <= set(tags["scalars"])
    assert tags["images"] == ["matches"]
    assert [event.step for event in events.Scalars("validation/loss")] == [3, 6]


def test_tensorboard_that_is_asked_for_and_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
        Board(tmp_path, enabled=True)
    Board(tmp_path, enabled=False).scalars("training", {"loss": 1.0}, 1)
    assert not any(tmp_path.iterdir())
