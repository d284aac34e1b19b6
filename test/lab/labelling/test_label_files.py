"""Labels on disk are whole, belong together, and are of the images that lie there."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.labelling.label_files import LabelledImage, Labels, PairLabels
from coarse_loftr_ros.files.whole_files import whole_files


@pytest.fixture
def images(tmp_path):
    paths = [tmp_path / "camera" / f"{number}.png" for number in range(3)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((48, 64), 10 * number, np.uint8))
    return paths


@pytest.fixture
def labels(images):
    def pair(numbers, count):
        points = np.arange(2 * count, dtype=np.float32).reshape(-1, 2)
        return PairLabels(numbers, points, points + 1.5, np.full(count, 0.75, np.float32))

    listed = tuple(LabelledImage.of(path, (64, 48)) for path in images)
    return Labels(listed, (pair((0, 1), 3), pair((1, 2), 5)), {"teacher": {"name": "fast"}})


@pytest.fixture
def folder(labels, tmp_path):
    folder = tmp_path / "labels"
    with whole_files(folder) as new:
        labels.write(new, folder)
    return folder


def test_labels_come_back_as_they_were(labels, folder):
    again = Labels.read(folder)
    again.check_images()
    assert again.made_by["teacher"] == {"name": "fast"}
    assert [image.path.resolve() for image in again.images] == [i.path for i in labels.images]
    for one, other in zip(labels.pairs, again.pairs, strict=True):
        assert one.images == other.images
        for name in ("reference", "current", "agreement"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_labels_move_together_with_their_images(folder, tmp_path):
    there = tmp_path / "elsewhere"
    there.mkdir()
    for name in ("camera", "labels"):
        (tmp_path / name).rename(there / name)
    Labels.read(there / "labels").check_images()


def test_labels_behind_a_link_find_their_images(folder, tmp_path):
    (tmp_path / "far" / "away").mkdir(parents=True)
    link = tmp_path / "far" / "away" / "link"
    link.symlink_to(folder)
    Labels.read(link).check_images()


def test_an_image_that_has_changed_is_refused(folder, images):
    cv2.imwrite(str(images[1]), np.full((48, 64), 99, np.uint8))
    with pytest.raises(ValueError, match=r"1\.png has changed since it was labelled; run 'coarse"):
        Labels.read(folder).check_images()


def test_an_image_that_is_gone_is_refused(folder, images):
    images[2].unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.png, which labels are of, is not there"):
        Labels.read(folder).check_images()


def test_files_of_two_runs_are_not_read_together(labels, folder, tmp_path):
    with whole_files(tmp_path / "other") as new:
        replace(labels, pairs=labels.pairs[:1]).write(new, tmp_path / "other")
    (tmp_path / "other" / "labels.npz").replace(folder / "labels.npz")
    with pytest.raises(ValueError, match=r"labels.npz is not the file that manifest.json is of"):
        Labels.read(folder)


@pytest.mark.parametrize("name", ["labels.npz", "manifest.json"])
def test_half_of_the_files_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}; labels are what"):
        Labels.read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: b"[1", "is not JSON"),
        (lambda facts: b"[]", "is no manifest of labels"),
        (lambda facts: {**facts, "format": 2}, "its format is 2; this version reads 1"),
        (lambda facts: {**facts, "images": [{}]}, "holds no labels that can be read"),
        (lambda facts: {**facts, "images": facts["images"][:1]}, "do not fit together"),
    ],
)
def test_a_damaged_manifest_is_refused_in_a_sentence(folder, change, message):
    path = folder / "manifest.json"
    changed = change(json.loads(path.read_text()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    with pytest.raises(ValueError, match=message):
        Labels.read(folder)
