"""A recording in two parts, and models compared on the second."""

import cv2
import labelled_camera
import numpy as np

from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence


def test_a_recording_is_split_into_images_to_label_and_a_sequence_with_poses(tmp_path):
    recording = tmp_path / "recording"
    (recording / "image_0").mkdir(parents=True)
    lines = []
    for number in range(6):
        cv2.imwrite(str(recording / "image_0" / f"{number}.png"), np.full((8, 9), number, np.uint8))
        pose = np.eye(4)
        pose[:3, 3] = (0.1 * number**2, 0, 0)
        rows = [" ".join(f"{value:.8f}" for value in row) for row in pose]
        lines += [f"{number} {number} {number + 1}", *rows]
    (recording / "trajectory.log").write_text("\n".join(lines) + "\n")
    labelled_camera.main(["split", str(recording), str(tmp_path / "out")])
    first = sorted(path.name for path in (tmp_path / "out" / "first").iterdir())
    assert first == ["0.png", "1.png", "2.png", "3.png"]
    last = KittiSequence(tmp_path / "out" / "last")
    assert len(last) == 2 and last.image(0)[0, 0] == 4
    np.testing.assert_allclose(last.relative_pose(0, 1).translation, [-0.9, 0, 0], atol=1e-6)


def test_models_are_compared_pair_by_pair(tmp_path):
    rng = np.random.default_rng(0)
    results = []
    for reference, error in enumerate(rng.uniform(1, 3, 60)):
        for method, own in (("fast", error), ("mine", error - 0.5), ("blind", None)):
            results.append({"method": method, "gap": 4, "direction_error_deg": own,
                            "reference": reference})  # fmt: skip
    text = labelled_camera.comparison({"report": {"results": results}})
    rows = {line.split()[1]: line for line in text.splitlines()[2:]}
    assert rows["fast"].split()[2] == "60" and "-0.500 [-0.500, -0.500]" in rows["mine"]
    assert rows["mine"].endswith("60") and rows["blind"].endswith(" 0") and "inf" in rows["blind"]
