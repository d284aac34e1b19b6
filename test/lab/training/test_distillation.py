"""Teachers of every kind give confidences of our cells, and the student comes to agree."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
from torch import nn

from coarse_loftr_lab.network.checkpoint import save_checkpoint
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.network.published_student import PublishedStudent
from coarse_loftr_lab.training.distillation import distillation_loss, pooled_confidence
from coarse_loftr_lab.training.distributed import Processes
from coarse_loftr_lab.training.settings import DistillationSettings, SequenceSettings
from coarse_loftr_lab.training.teachers import load_teacher
from coarse_loftr_lab.training.trainer import Trainer, train

CPU = torch.device("cpu")
WITHOUT_ONNX_RUNTIME = "ONNX Runtime is not installed (make test-train)"


def confidence(similarity):
    return similarity.softmax(1) * similarity.softmax(2)


def test_the_loss_is_zero_for_the_teacher_s_own_similarities_and_positive_otherwise():
    torch.manual_seed(0)
    similarity = torch.randn(2, 6, 8) * 4
    for temperature in (0.5, 1.0, 3.0):
        own = distillation_loss(similarity, confidence(similarity), temperature)
        other = distillation_loss(similarity.flip(1), confidence(similarity), temperature)
        assert float(own) == pytest.approx(0.0, abs=1e-5)
        assert float(other) > 0.1


def test_the_loss_is_the_divergence_of_the_softened_confidences():
    torch.manual_seed(0)
    student, teacher = torch.randn(1, 3, 4), confidence(torch.randn(1, 3, 4) * 3)
    q, p = (c ** (1 / 2.0) / (c ** (1 / 2.0)).sum() for c in (teacher, confidence(student)))
    expected = 2.0**2 * float((q * (q / p).log()).sum())
    assert float(distillation_loss(student, teacher, 2.0)) == pytest.approx(expected, rel=1e-4)


def test_a_teacher_that_is_sure_of_nothing_gives_a_finite_gradient():
    similarity = torch.randn(1, 4, 4, requires_grad=True)
    loss = distillation_loss(similarity, torch.zeros(1, 4, 4), 2.0)
    loss.backward()
    assert loss.item() == 0.0 and torch.isfinite(similarity.grad).all()


def test_confidences_of_small_cells_are_summed_where_they_lie():
    rows, columns = 4, 6  # small cells of both images; 2x3 large ones
    small = torch.zeros(1, rows * columns, rows * columns)
    small[0, 1 * columns + 2, 3 * columns + 5] = 0.5  # large cells (0, 1) and (1, 2)
    small[0, 0 * columns + 3, 2 * columns + 4] = 0.25  # the same
    small[0, 3 * columns + 0, 0 * columns + 0] = 0.75  # large cells (1, 0) and (0, 0)
    large = pooled_confidence(small, (rows, columns), (rows, columns), 2)
    assert large.shape == (1, 6, 6)
    assert float(large[0, 1, 5]) == 0.75 and float(large[0, 3, 0]) == 0.75
    assert float(large.sum()) == 1.5


@pytest.fixture
def own_teacher(tmp_path, tiny_config):
    torch.manual_seed(7)
    path = tmp_path / "teacher.pt"
    save_checkpoint(path, MatcherNet(replace(tiny_config, token_channels=24)), 0)
    return path


def test_a_student_of_ours_learns_a_teacher_s_confidences_without_any_truth(
    settings, tmp_path, photographs, own_teacher
):
    """On pairs of images of which nothing is known, so that only the teacher can have taught it."""
    run = settings(
        tmp_path / "run",
        distillation=DistillationSettings(own_teacher, ground_truth_weight=0.0),
        sequences=(SequenceSettings("frames", photographs, share=1.0, gap=1),),
        learning_rate=5e-3,
        warmup=1,
    )
    trainer = Trainer(run, Processes(0, 1, CPU))
    batch = next(iter(trainer.stream))
    assert not batch.to_current.visible.any() and not batch.to_reference.visible.any()
    losses = []
    for _ in range(60):
        trainer.advance([batch])
        losses.append(trainer.meters.take(Processes(0, 1, CPU))["distillation"])
    assert losses[-1] < 0.5 * losses[0]


def test_a_run_with_a_teacher_and_truth_logs_both(settings, tmp_path, own_teacher):
    run = settings(tmp_path / "run", distillation=DistillationSettings(own_teacher))
    figures = train(run)
    assert figures["coarse_loss"] > 0
    training = (run.output / "training.jsonl").read_text()
    assert '"distillation"' in training and '"coarse_loss"' in training
    html = (run.output / "report.html").read_text()
    assert "Distillation loss" in html


def images(width=96, height=64, count=2):
    torch.manual_seed(1)
    return torch.rand(count, 1, height, width), torch.rand(count, 1, height, width)


def assert_confidences(values, cells, count=2):
    assert values.shape == (count, cells, cells) and values.dtype == torch.float32
    assert not values.requires_grad
    assert float(values.min()) >= 0.0 and float(values.max()) <= 1.0
    assert float(values.sum()) > 0


def test_our_own_checkpoint_is_a_teacher(own_teacher):
    assert_confidences(load_teacher(own_teacher, CPU, (96, 64))(*images()), 24)


def test_a_shipped_model_is_a_teacher():
    assert_confidences(load_teacher(Path("fast"), CPU, (96, 64))(*images()), 24)


def test_a_published_checkpoint_is_a_teacher(tmp_path):
    model = PublishedStudent()
    torch.save({"model_state_dict": model.state_dict()}, tmp_path / "student.pt")
    teacher = load_teacher(tmp_path / "student.pt", CPU, (96, 64))
    assert_confidences(teacher(*images()), 24)


class SmallCells(nn.Module):
    """A pair graph whose cells are 8 px: each matches the cell of the same place."""

    def forward(self, one, other):
        cells = (one.shape[2] // 8) * (one.shape[3] // 8)
        seen = torch.eye(cells)[None] * 0.2 + 0 * (one.mean() + other.mean())
        return seen, seen


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "pair.onnx"
    torch.onnx.export(
        SmallCells(), tuple(torch.rand(2, 1, 1, 64, 96)), path, dynamo=False,
        input_names=["img0", "img1"], output_names=["confidence", "similarity"],
    )  # fmt: skip
    return path


def test_an_onnx_graph_of_smaller_cells_is_a_teacher_of_ours(graph):
    pytest.importorskip("onnxruntime", reason=WITHOUT_ONNX_RUNTIME)
    values = load_teacher(graph, CPU, (96, 64))(*images())
    assert_confidences(values, 24)
    torch.testing.assert_close(values, (torch.eye(24) * 0.8).expand(2, -1, -1))


def test_an_onnx_graph_of_another_size_is_refused(graph):
    pytest.importorskip("onnxruntime", reason=WITHOUT_ONNX_RUNTIME)
    with pytest.raises(ValueError, match="takes images of 96x64 px, training has 640x480"):
        load_teacher(graph, CPU, (640, 480))


def test_the_published_graph_teaches_at_its_size(shared_dir):
    pytest.importorskip("onnxruntime", reason=WITHOUT_ONNX_RUNTIME)
    path = shared_dir / "weights" / "coarse_loftr_trt" / "LoFTR_teacher.onnx"
    values = load_teacher(path, CPU, (640, 480))(*images(640, 480, 1))
    assert_confidences(values, 1200, 1)


def test_the_published_checkpoint_and_its_graph_are_the_same_teacher(shared_dir):
    pytest.importorskip("onnxruntime", reason=WITHOUT_ONNX_RUNTIME)
    folder = shared_dir / "weights" / "coarse_loftr_trt"
    paths = sorted((shared_dir / "data/dev/homography/boat").glob("*.png"))[:2]
    views = [
        torch.from_numpy(cv2.resize(cv2.imread(str(path), 0), (640, 480)))[None, None] / 255.0
        for path in paths
    ]
    graph, checkpoint = (
        load_teacher(folder / name, CPU, (640, 480))(*views)
        for name in ("LoFTR_teacher.onnx", "LoFTR_teacher.pt")
    )
    torch.testing.assert_close(graph, checkpoint, rtol=0.02, atol=2e-3)


def test_loftr_through_kornia_is_a_teacher(tmp_path):
    """Its confidences are those of kornia's own forward pass, four by four cells summed up."""
    feature = pytest.importorskip(
        "kornia.feature", reason="kornia is not installed (pip install ./lab[loftr])"
    )
    torch.manual_seed(0)
    loftr = feature.LoFTR(pretrained=None).eval()
    weights = {f"matcher.{name}": value for name, value in loftr.state_dict().items()}
    torch.save({"state_dict": weights}, tmp_path / "outdoor.ckpt")
    reference, current = images(count=1)
    values = load_teacher(tmp_path / "outdoor.ckpt", CPU, (96, 64))(reference, current)
    assert_confidences(values, 24, 1)
    seen = []
    loftr.coarse_matching.register_forward_hook(lambda _, given, __: seen.append(given[2]))
    with torch.no_grad():
        loftr({"image0": reference, "image1": current})
    own = pooled_confidence(seen[0]["conf_matrix"], (8, 12), (8, 12), 2)
    torch.testing.assert_close(values, own)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.pt", None, "there is no file"),
        ("text.pt", b"no weights", "holds no weights"),
        ("other.pt", {"epoch": 3}, "holds epoch; expected a checkpoint of this project"),
    ],
)
def test_what_is_no_teacher_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_teacher(path, CPU, (96, 64))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"ground_truth_weight": 1.0}, "ground_truth_weight is 1"),
        ({"temperature": 0.0}, "temperature is 0"),
    ],
)
def test_distillation_that_makes_no_sense_is_refused(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        DistillationSettings(tmp_path / "teacher.pt", **bad)
