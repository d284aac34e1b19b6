"""A slanted textured plane, photographed by a moving camera and written in each layout's own files:
what the loaders make of it is the truth."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np
from scenes import texture

from coarse_loftr_lab.training.depth_sequences.pairs import PosedPair, PosedPairs
from coarse_loftr_lab.training.depth_sequences.reading import read_pfm
from coarse_loftr_lab.training.depth_sequences.registry import open_layout
from coarse_loftr_lab.training.distributed import Processes
from coarse_loftr_lab.training.settings import SequenceSettings
from coarse_loftr_lab.training.stream import TrainingStream

WIDTH, HEIGHT = 320, 256
INTRINSICS = np.array([[260.0, 0, 157.3], [0, 262.0, 129.1], [0, 0, 1]])
HALF_PIXEL = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
# The plane: texture pixels (u, v) lie at ORIGIN + u * ALONG + v * DOWN in the world, metres.
ORIGIN, ALONG, DOWN = np.array([[-2.4, -1.9, 2.6], [0.006, 0, 0.0012], [0, 0.006, -0.0006]])


@dataclass
class RenderedView:
    """An exact picture: image, depth along the axis, world to camera."""

    image: np.ndarray
    depth: np.ndarray
    pose: np.ndarray


def pose_at(time: float) -> np.ndarray:
    """World to camera of a camera that drifts and turns."""
    turn, _ = cv2.Rodrigues(np.array([0.03, -0.1, 0.05]) * time)
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = np.array([-0.32, 0.08, 0.04]) * time
    return pose


def photograph(pose: np.ndarray) -> RenderedView:
    to_camera = pose[:3, :3] @ np.stack([ALONG, DOWN, ORIGIN], axis=1)
    to_camera[:, 2] += pose[:3, 3]
    to_image = INTRINSICS @ to_camera
    image = cv2.warpPerspective(PLANE, to_image, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1).astype(float)
    plane = pixels @ np.linalg.inv(to_image).T
    # The third component of (u, v, 1) is 1 / depth, up to what maps it to 1.
    depth = (1 / plane[..., 2]).astype(np.float32)
    return RenderedView(image, depth, pose)


PLANE = cv2.GaussianBlur(texture(900, 700, seed=4), (0, 0), 2.0)
TIMES = np.arange(4) * 0.8
VIEWS = [photograph(pose_at(time)) for time in TIMES]


def true_map(reference: int, current: int, size: tuple[int, int]) -> np.ndarray:
    """Where the pixels of the resized reference are in the resized current view."""
    shrink = np.array(
        [
            [size[0] / WIDTH, 0, 0.5 * size[0] / WIDTH - 0.5],
            [0, size[1] / HEIGHT, 0.5 * size[1] / HEIGHT - 0.5],
            [0, 0, 1],
        ]
    )
    plane = np.stack([ALONG, DOWN, ORIGIN], axis=1)
    to_image = []
    for number in (reference, current):
        to_camera = VIEWS[number].pose[:3, :3] @ plane
        to_camera[:, 2] += VIEWS[number].pose[:3, 3]
        to_image.append(shrink @ INTRINSICS @ to_camera)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1).astype(float)
    moved = pixels @ (to_image[1] @ np.linalg.inv(to_image[0])).T
    return moved[..., :2] / moved[..., 2:]


def blended_mvs(folder: Path) -> SequenceSettings:
    scene = folder / "5a3ca9cb270f0e3f14d0eddb"
    for name in ("blended_images", "cams", "rendered_depth_maps"):
        (scene / name).mkdir(parents=True)
    pairs = [str(len(VIEWS))]
    for number, view in enumerate(VIEWS):
        name = f"{number:08d}"
        write_jpeg(scene / "blended_images" / f"{name}.jpg", view.image)
        (scene / "blended_images" / f"{name}_masked.jpg").write_bytes(b"not looked at")
        with (scene / "rendered_depth_maps" / f"{name}.pfm").open("wb") as file:
            file.write(f"Pf\n{WIDTH} {HEIGHT}\n-1.0\n".encode())
            file.write(view.depth[::-1].astype("<f4").tobytes())
        rows = ["extrinsic", *(" ".join(f"{v:.12f}" for v in row) for row in view.pose), ""]
        intrinsics = HALF_PIXEL @ INTRINSICS
        rows += ["intrinsic", *(" ".join(f"{v:.6f}" for v in row) for row in intrinsics), ""]
        (scene / "cams" / f"{name}_cam.txt").write_text("\n".join([*rows, "1.0 0.1 128 9.0"]))
        others = [n for n in range(len(VIEWS)) if n != number]
        pairs += [str(number), f"{len(others)} " + " ".join(f"{n} 1.5" for n in others)]
    (scene / "cams" / "pair.txt").write_text("\n".join(pairs) + "\n")
    return SequenceSettings("blended_mvs", folder)


def mega_depth(folder: Path) -> SequenceSettings:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed (make test-train)")
    (folder / "Undistorted_SfM").mkdir(parents=True)
    images, depths = [], []
    for number, view in enumerate(VIEWS):
        images.append(f"Undistorted_SfM/{number}.png")
        depths.append(f"Undistorted_SfM/{number}.h5")
        cv2.imwrite(str(folder / images[-1]), view.image)
        with h5py.File(folder / depths[-1], "w") as file:
            file.create_dataset("depth", data=view.depth)
    images, depths = [*images, None], [*depths, None]  # the index has holes
    pairs = [((i, j), 0.6, np.zeros((0, 2))) for i in range(4) for j in range(i)]
    intrinsics = np.stack([HALF_PIXEL @ INTRINSICS] * 5)
    (folder / "index").mkdir()
    np.savez(
        folder / "index" / "0001_0.3_0.9.npz",
        image_paths=np.array(images, object),
        depth_paths=np.array(depths, object),
        intrinsics=intrinsics,
        poses=np.stack([view.pose for view in VIEWS] + [np.eye(4)]),
        pair_infos=np.array([*pairs, None], object)[:-1],
    )
    return SequenceSettings("mega_depth", folder, index=folder / "index")


def tum_rgbd(folder: Path) -> SequenceSettings:
    """Stamps of image, depth and poses differ, as they do there."""
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    start = 1305031102.0
    lists = {"rgb": ["# color images"], "depth": ["# depth maps"], "groundtruth": ["# poses"]}
    for number, view in enumerate(VIEWS):
        stamp = start + TIMES[number]
        cv2.imwrite(str(folder / f"rgb/{stamp:.6f}.png"), cv2.merge([view.image] * 3))
        raw = np.round(view.depth * 5000).astype(np.uint16)
        cv2.imwrite(str(folder / f"depth/{stamp + 0.004:.6f}.png"), raw)
        lists["rgb"].append(f"{stamp:.6f} rgb/{stamp:.6f}.png")
        lists["depth"].append(f"{stamp + 0.004:.6f} depth/{stamp + 0.004:.6f}.png")
    for time in np.arange(-0.003, TIMES[-1] + 0.02, 0.01):
        to_world = np.linalg.inv(pose_at(time))
        vector = cv2.Rodrigues(to_world[:3, :3])[0][:, 0]
        angle = np.linalg.norm(vector)
        axis = vector / max(angle, 1e-12)
        quaternion = [*(axis * np.sin(angle / 2)), np.cos(angle / 2)]
        sign = -1 if len(lists["groundtruth"]) % 2 else 1  # both signs are the same turn
        values = [*to_world[:3, 3], *(sign * value for value in quaternion)]
        lists["groundtruth"].append(
            f"{start + time:.4f} " + " ".join(f"{value:.9f}" for value in values)
        )
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    fx, fy, cx, cy = INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    return SequenceSettings("tum_rgbd", folder, intrinsics=(fx, fy, cx, cy))


def write_jpeg(path: Path, image: np.ndarray) -> None:
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])


LAYOUTS = {"blended_mvs": blended_mvs, "mega_depth": mega_depth, "tum_rgbd": tum_rgbd}


@pytest.fixture(scope="module", params=LAYOUTS)
def sequence(request, tmp_path_factory) -> SequenceSettings:
    """The views in one layout's files."""
    return LAYOUTS[request.param](tmp_path_factory.mktemp(request.param))


def number_of(layout, view: RenderedView) -> int:
    """Which image of the layout shows a view."""
    poses = [layout.camera(number).pose for number in range(len(layout))]
    return int(np.argmin([np.abs(pose - view.pose).max() for pose in poses]))


def test_files_hold_what_was_written(sequence):
    layout = open_layout(sequence)
    assert len(layout) == len(VIEWS)
    for view in VIEWS:
        number = number_of(layout, view)
        image, depth, camera = layout.image(number), layout.depth(number), layout.camera(number)
        assert image.dtype == np.uint8 and np.abs(image.astype(int) - view.image).mean() < 2
        np.testing.assert_allclose(depth, view.depth, atol=2e-4)
        np.testing.assert_allclose(camera.intrinsics, INTRINSICS, atol=1e-5)
        np.testing.assert_allclose(camera.pose, view.pose, atol=2e-5)
        assert sorted(layout.partners(number)) == [n for n in range(4) if n != number]


@pytest.mark.parametrize("size", [(320, 256), (160, 128), (96, 64)])
def test_the_truth_of_a_pair_is_that_of_the_plane(sequence, size):
    layout = open_layout(sequence)
    pairs = PosedPairs(layout, size, (0.0, 1.0), seed=3)
    reference, current = number_of(layout, VIEWS[0]), number_of(layout, VIEWS[2])
    batch = PosedPair.collate([pairs._pair(reference, current)]).with_truth()
    if size == (96, 64):  # cut to 3:2 about the middle, which shifts the principal point
        shown = (0, (HEIGHT - 213) // 2, WIDTH, 213)
        wanted = cropped_map(shown, size)
    else:
        wanted = true_map(0, 2, size)
    visible = batch.to_current.visible[0].numpy()
    assert 0.5 < visible.mean() < 1.0
    error = np.linalg.norm(batch.to_current.target[0].numpy() - wanted, axis=-1)[visible]
    assert np.percentile(error, 99) < 0.06 * size[0] / 96
    outside = (wanted < -0.6).any(-1) | (wanted > np.array(size) - 0.4).any(-1)
    assert not visible[outside].any()
    y, x = (a[:: max(1, len(a) // 500)] for a in np.nonzero(visible))
    there = batch.to_current.target[0].numpy()[y, x]
    column, row = np.round(there).astype(int).T
    back = batch.to_reference.target[0].numpy()[row, column] + there - np.round(there)
    assert np.median(np.linalg.norm(back - np.stack([x, y], axis=-1), axis=-1)) < 0.2


def cropped_map(shown, size):
    """The true map of views that were cut to (x, y, width, height) and then resized."""
    x, y, width, height = shown
    grid_x, grid_y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    there = np.stack(
        [(grid_x + 0.5) * width / size[0] - 0.5 + x, (grid_y + 0.5) * height / size[1] - 0.5 + y],
        axis=-1,
    )
    full = true_map(0, 2, (WIDTH, HEIGHT)).astype(np.float32)
    moved = cv2.remap(full, there.astype(np.float32), None, cv2.INTER_LINEAR)
    return (moved - (x, y) + 0.5) * (size[0] / width, size[1] / height) - 0.5


def test_the_current_view_seen_through_the_map_is_the_reference(sequence):
    pairs = PosedPairs(open_layout(sequence), (160, 128), (0.2, 1.0), seed=3)
    batch = PosedPair.collate([pairs[number] for number in range(4)]).with_truth()
    assert batch.reference.min() >= 0 and batch.reference.max() <= 1
    scale = torch.tensor([160.0, 128.0])
    grid = (batch.to_current.target + 0.5) / scale * 2 - 1
    seen = torch.nn.functional.grid_sample(batch.current, grid, align_corners=False)
    difference = (seen - batch.reference).abs()[:, 0][batch.to_current.visible]
    assert difference.median() < 0.015
    shifted = grid + 1.0 / scale  # by half a pixel
    worse = torch.nn.functional.grid_sample(batch.current, shifted, align_corners=False)
    worse = (worse - batch.reference).abs()[:, 0][batch.to_current.visible]
    assert worse.median() > 1.2 * difference.median()


def test_pairs_see_as_much_of_each_other_as_was_asked_for(sequence):
    layout = open_layout(sequence)
    shares = {}
    for limits in ((0.8, 1.0), (0.3, 0.75)):
        pairs = PosedPairs(layout, (160, 128), limits, seed=1)
        batch = PosedPair.collate([pairs[number] for number in range(8)]).with_truth()
        shares[limits] = batch.to_current.visible.float().mean(dim=(1, 2)).numpy()
    assert shares[0.8, 1.0].min() > 0.75
    assert shares[0.3, 0.75].max() < 0.77


def test_a_pair_of_a_number_is_always_the_same(sequence):
    pairs = [PosedPairs(open_layout(sequence), (96, 64), (0.2, 1.0), seed=5) for _ in range(2)]
    first, again = pairs[0][3], pairs[1][3]
    assert torch.equal(first.reference, again.reference)
    assert torch.equal(first.motion, again.motion)
    motions = {tuple(pairs[0][number].motion[0].tolist()) for number in range(12)}
    assert len(motions) > 3


def test_unknown_depth_is_not_visible(sequence):
    pair = PosedPairs(open_layout(sequence), (96, 64), (0.2, 1.0), seed=5)[0]
    pair.reference_depth[:32] = 0
    batch = PosedPair.collate([pair]).with_truth()
    assert not batch.to_current.visible[0, :32].any()
    assert batch.to_current.visible[0, 32:].any()


def test_posed_pairs_take_their_share_of_a_run(sequence, settings, tmp_path):
    run = settings(tmp_path, sequences=(replace(sequence, share=0.5),), steps=20, batch=4)
    stream = TrainingStream(run, Processes(0, 1, torch.device("cpu")), 0)
    dataset = stream._loader.dataset
    posed = sum(isinstance(dataset[number], PosedPair) for number in range(40))
    assert 10 <= posed <= 30
    batch = next(iter(stream))
    assert batch.reference.shape == (4, 1, 64, 96) and batch.to_current.visible.any()


@pytest.mark.parametrize("layout", ["blended_mvs", "tum_rgbd", "frames"])
def test_a_folder_without_the_layout_s_files_is_refused(layout, tmp_path):
    with pytest.raises(FileNotFoundError):
        open_layout(SequenceSettings(layout, tmp_path))


def test_an_index_that_would_run_code_is_refused(tmp_path):
    pytest.importorskip("h5py", reason="h5py is not installed (make test-train)")

    class Harmful:
        def __reduce__(self):
            return print, ("run",)

    np.savez(tmp_path / "scene.npz", image_paths=np.array([Harmful()], object))
    with pytest.raises(ValueError, match=r"builtins.print is not allowed in an index"):
        open_layout(SequenceSettings("mega_depth", tmp_path, index=tmp_path))


def test_an_index_without_pairs_of_the_overlap_is_refused(tmp_path):
    index = mega_depth(tmp_path)
    with pytest.raises(ValueError, match="no pair has an overlap within"):
        open_layout(SequenceSettings("mega_depth", tmp_path, overlap=(0.8, 0.9), index=index.index))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PF\n2 2\n-1\n", "not a one-channel PFM"),
        (b"Pf\n2 2\n-1\n\0\0\0\0", "holds 1 values; 2x2"),
    ],
)
def test_a_file_that_is_no_pfm_is_refused(tmp_path, content, message):
    (tmp_path / "depth.pfm").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_pfm(tmp_path / "depth.pfm")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"layout": "scannet"}, "layout is 'scannet'; it must be one of blended_mvs"),
        ({"share": 0.0}, "share is 0"),
        ({"overlap": (0.9, 0.3)}, "it must rise"),
        ({"gap": 0}, "gap is 0"),
        ({"layout": "mega_depth"}, "needs the folder of its npz files"),
    ],
)
def test_sequences_that_make_no_sense_are_refused(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        SequenceSettings(**{"layout": "frames", "folder": tmp_path, **bad})
