"""Which pairs a run sees, the same however they are dealt out and rendered."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2

from coarse_loftr_lab.training.distributed import Processes
from coarse_loftr_lab.training.recipes import PairRecipes, find_images
from coarse_loftr_lab.training.stream import TrainingStream
from coarse_loftr_lab.training.views import render_pairs

CPU = torch.device("cpu")


def test_pairs_are_dealt_out_the_same_however_many_processes_and_parts(settings, tmp_path):
    def references(count, accumulate):
        run = settings(tmp_path, steps=2, batch=8, accumulate=accumulate)
        streams = [TrainingStream(run, Processes(rank, count, CPU), 0) for rank in range(count)]
        parts = [[part.to_current.dense().target for part in stream] for stream in streams]
        return torch.stack(
            [
                torch.cat([torch.cat(own[step * accumulate :][:accumulate]) for own in parts])
                for step in range(2)
            ]
        )

    whole = references(1, 1)
    assert whole.shape[:2] == (2, 8)
    assert torch.equal(references(2, 1), whole)
    assert torch.equal(references(2, 2), whole)
    with pytest.raises(ValueError, match="batch is 8; 3 process"):
        references(3, 1)


def test_pairs_are_the_same_however_many_are_rendered_at_once(photographs):
    size = (96, 64)
    recipes = PairRecipes(find_images(photographs, held_out_split=False), size, 8, 3)
    batch = PairRecipes.collate([recipes[k] for k in range(5)])
    whole, parts = render_pairs(batch, size, 5), render_pairs(batch, size, 2)
    for name in ("to_current", "to_reference"):
        one, other = (getattr(pairs, name).dense() for pairs in (whole, parts))
        assert (one.visible == other.visible).float().mean() > 0.999
        torch.testing.assert_close(one.target, other.target, atol=1e-2, rtol=1e-3)


def test_several_folders_of_photographs_are_one_set(settings, photographs, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    for number, path in enumerate(sorted(photographs.iterdir())[:5]):
        cv2.imwrite(str(other / f"{number}.png"), cv2.imread(str(path)))
    with_other = settings(tmp_path / "run", images=(photographs, other))
    stream = TrainingStream(with_other, Processes(0, 1, CPU), 0)
    names = {path.parent for path in stream._loader.dataset.recipes.images}
    assert names == {photographs, other}
