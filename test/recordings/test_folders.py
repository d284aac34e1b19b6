"""Folders of images: names pair them, and times are read wherever they are written."""

from pathlib import Path

import cv2
import pytest
from recordings.conftest import HEIGHT, PROJECTION, WIDTH, grey, level, write_images

from coarse_loftr_ros.recordings.errors import NoImageError, RecordingError
from coarse_loftr_ros.recordings.folder import find_stereo_folders
from coarse_loftr_ros.recordings.frame_sets import UNPAIRED, FrameSets
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.opening import open_source

NS = 1403636579763555584


def names(count: int, *without: int) -> list[str]:
    return [f"{k:06d}.png" for k in range(count) if k not in without]


def pairs(root: Path, left: str, right: str, tolerance_ns: int = 5_000_000):
    """Stamps and grey levels of the pairs, and what has no partner."""
    report = InputReport()
    with open_source(root, [left, right], 10.0, report) as source:
        frame_sets = FrameSets(source.images(), tolerance_ns, report)
        found = [
            (m.left.stamp, int(m.left.image[0, 0]), int(m.right.image[0, 0])) for _, m in frame_sets
        ]
    unpaired = report.rejected.get(UNPAIRED)
    return found, unpaired.names if unpaired else [], report


def test_an_image_that_one_eye_lacks_shifts_no_pair(tmp_path: Path) -> None:
    write_images(tmp_path / "image_0", names(7), 10)
    write_images(tmp_path / "image_1", names(7), 110)
    (tmp_path / "image_1" / "000003.png").unlink()
    (tmp_path / "times.txt").write_text("".join(f"{k * 0.1}\n" for k in range(7)))
    found, unpaired, _ = pairs(tmp_path, "image_0", "image_1")
    assert [right - left for _, left, right in found] == [100] * 6
    assert [round(stamp / 1e8) for stamp, *_ in found] == [0, 1, 2, 4, 5, 6]
    assert unpaired == ["image_0/000003.png"]


def test_a_frame_set_without_any_image_keeps_its_time(tmp_path: Path) -> None:
    for eye in ("image_0", "image_1"):
        write_images(tmp_path / eye, names(5, 2))
    (tmp_path / "times.txt").write_text("0\n0.1\n0.2\n0.3\n0.4\n")
    found, unpaired, report = pairs(tmp_path, "image_0", "image_1")
    assert [round(stamp / 1e8) for stamp, *_ in found] == [0, 1, 3, 4]
    assert unpaired == [] and "has 5 times, and there are 4 images" in report.notices[0]


def test_numbers_in_names_pair_what_else_differs(tmp_path: Path) -> None:
    write_images(tmp_path / "a", [f"left_{k}.png" for k in (8, 9, 10)], 8)
    write_images(tmp_path / "b", [f"right_{k:03d}.jpg" for k in (9, 10, 11)], 109)
    found, unpaired, report = pairs(tmp_path, "a", "b")
    assert [(stamp, left) for stamp, left, _ in found] == [(10**8, 9), (2 * 10**8, 10)]
    assert unpaired == ["a/left_8.png", "b/right_011.jpg"]
    assert "10 images per second are assumed" in report.notices[0]


def test_eyes_without_a_name_in_common_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "a", ["0.png", "1.png"])
    write_images(tmp_path / "b", ["100.png", "101.png"])
    with pytest.raises(RecordingError, match=r"have no name in common \(0\.png, 100\.png\)"):
        pairs(tmp_path, "a", "b")
    with pytest.raises(RecordingError, match="left and right are both"):
        pairs(tmp_path, "a", "a")


def test_gaps_in_numbers_are_gaps_in_time(tmp_path: Path, read) -> None:
    write_images(tmp_path, ["0005.png", "0010.png", "0020.png"])
    images, _ = read(tmp_path)
    assert [image.stamp for image in images] == [0, 10**8, 3 * 10**8]
    assert [image.number for image in images] == [0, 1, 3]


def test_hidden_files_are_no_images(tmp_path: Path, read) -> None:
    write_images(tmp_path, ["1.png", "2.png"])
    for name in ("._1.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    (tmp_path / "old.png").mkdir()
    images, report = read(tmp_path)
    assert len(images) == 2 and report.rejected == {}


def test_a_link_to_nothing_is_counted(tmp_path: Path, read) -> None:
    write_images(tmp_path, names(4, 2))
    (tmp_path / "000002.png").symlink_to(tmp_path / "gone.png")
    images, report = read(tmp_path)
    assert [image.number for image in images] == [0, 1, 3]
    assert report.rejected["file"].names == ["000002.png"]
    assert "does not exist" in report.rejected["file"].example


def test_a_byte_order_mark_costs_no_time(tmp_path: Path, read) -> None:
    write_images(tmp_path, names(3))
    (tmp_path / "times.txt").write_text("0.0\n0.1\n0.2\n", encoding="utf-8-sig")
    images, report = read(tmp_path)
    assert [image.stamp for image in images] == [0, 10**8, 2 * 10**8] and not report.rejected


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_broken_file_costs_that_one_and_strictly_all(tmp_path: Path, read, suffix: str) -> None:
    write_images(tmp_path, [f"{k}{suffix}" for k in range(4)])
    file = tmp_path / f"2{suffix}"
    file.write_bytes(file.read_bytes()[:-20])
    images, report = read(tmp_path)
    assert [image.number for image in images] == [0, 1, 3]
    (rejected,) = report.rejected.values()
    assert (rejected.count, rejected.names) == (1, [f"2{suffix}"])
    with pytest.raises(RecordingError, match=f"2{suffix}"):
        read(tmp_path, strict=True)


def test_a_tag_of_orientation_turns_nothing_and_is_said_once(tmp_path: Path, read) -> None:
    for number in range(2):
        code = cv2.imencode(".jpg", grey(50))[1].tobytes()
        tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        header = b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag
        (tmp_path / f"{number}.jpg").write_bytes(code[:2] + header + code[2:])
    images, report = read(tmp_path)
    assert {image.frame.image.shape for image in images} == {(HEIGHT, WIDTH)}
    assert sum("taken as stored" in notice for notice in report.notices) == 1


def test_times_of_euroc_are_those_of_its_list(tmp_path: Path) -> None:
    stamps = [NS, NS + 50_000_000, NS + 450_000_000]
    for eye, first in (("cam0", 10), ("cam1", 110)):
        folder = tmp_path / "mav0" / eye
        write_images(folder / "data", [f"{stamp}.png" for stamp in stamps], first)
        lines = ["#timestamp [ns],filename", *(f"{stamp},{stamp}.png" for stamp in stamps)]
        (folder / "data.csv").write_text("\r\n".join(lines))
    eyes = find_stereo_folders(tmp_path)
    assert eyes == ["mav0/cam0", "mav0/cam1"]
    found, unpaired, report = pairs(tmp_path, *eyes)
    assert found == [(stamp, 10 + k, 110 + k) for k, stamp in enumerate(stamps)]
    assert unpaired == report.notices == []
    # The folders of the images alone are as good.
    assert pairs(tmp_path, "mav0/cam0/data", "mav0/cam1/data")[0] == found


def test_times_of_tum_are_those_of_its_list_or_its_names(tmp_path: Path, read) -> None:
    stamps = ["1305031102.175304", "1305031102.211214", "1305031102.243211"]
    write_images(tmp_path / "rgb", [f"{stamp}.png" for stamp in stamps])
    (tmp_path / "rgb.txt").write_text(
        "# color images\n# timestamp filename\n"
        + "".join(f"{stamp} rgb/{stamp}.png\n" for stamp in [*stamps, "1305031102.275326"])
    )
    images, report = read(tmp_path)
    assert [f"{image.stamp / 1e9:.6f}" for image in images] == stamps
    assert report.rejected["file"].names == ["rgb/1305031102.275326.png"]
    images, report = read(tmp_path / "rgb")
    assert [f"{image.stamp / 1e9:.6f}" for image in images] == stamps
    assert report.rejected == {} and report.notices == []


def test_times_beside_names_are_matched_by_them(tmp_path: Path, read) -> None:
    write_images(tmp_path / "images", ["00000.jpg", "00001.jpg", "00002.jpg"])
    (tmp_path / "images" / "times.txt").write_text(
        "00000 1464874613.0 0.5\n00002 1464874613.1 0.5\n00003 1464874613.2 0.5\n"
    )
    images, report = read(tmp_path, "images")
    assert [level(image) for image in images] == [10, 12]
    assert [image.stamp % 10**9 for image in images] == [0, 10**8]
    assert report.rejected["file"].names == ["images/00003.jpg"], "listed and not there"
    assert report.rejected["stamp"].names == ["images/00001.jpg"], "there and not listed"
    (tmp_path / "images" / "times.txt").write_text(
        "1464874613.0 00001.jpg\n1464874613.1 00000.jpg\n"
    )
    assert [level(image) for image in read(tmp_path, "images")[0]] == [11, 10]
    assert len(read(tmp_path, str(tmp_path / "images"))[0]) == 2, "by its whole name"


def test_kitti_s_raw_data_is_recognised(tmp_path: Path, read) -> None:
    drive = tmp_path / "2011_09_26_drive_0001_sync"
    for eye in ("image_00", "image_01"):
        write_images(drive / eye / "data", [f"{k:010d}.png" for k in range(3)])
        (drive / eye / "timestamps.txt").write_text(
            "".join(f"2011-09-26 13:02:25.{k}64389445\n" for k in range(3))
        )
    assert find_stereo_folders(drive) == ["image_00", "image_01"]
    found, _, report = pairs(drive, "image_00", "image_01")
    assert [stamp % 10**9 for stamp, *_ in found] == [64_389_445, 164_389_445, 264_389_445]
    assert report.notices == []


def test_a_bad_time_costs_its_image(tmp_path: Path, read) -> None:
    write_images(tmp_path, names(5))
    (tmp_path / "times.txt").write_text("0\n0.1\nnan\n0.3\n0.4\n")
    images, report = read(tmp_path)
    assert [image.number for image in images] == [0, 1, 3, 4]
    assert report.rejected["stamp"].names == ["000002.png"]


def test_the_name_of_a_column_is_no_time(tmp_path: Path, read) -> None:
    write_images(tmp_path, names(3))
    (tmp_path / "times.txt").write_text("timestamp\n0\n0.1\n0.2\n")
    images, report = read(tmp_path)
    assert [image.stamp for image in images] == [0, 10**8, 2 * 10**8] and not report.rejected


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("times.txt", "0\n0.1\n", r"times\.txt has 2 times, and there are 3 images"),
        ("times.txt", "0\n33\n66\n", r"unit of the times in .*times\.txt"),
        ("times.txt", "\n", r"times\.txt has no times"),
        ("rgb.txt", "nothing\n", r"rgb\.txt names no image"),
    ],
)
def test_times_that_do_not_fit_are_refused_by_the_file(
    tmp_path: Path, read, file: str, text: str, words: str
) -> None:
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    (tmp_path / file).write_text(text)
    with pytest.raises(RecordingError, match=words):
        read(tmp_path)


def test_a_folder_of_folders_says_which_have_images(tmp_path: Path, read) -> None:
    for eye in ("links", "rechts"):
        write_images(tmp_path / eye, names(2))
    with pytest.raises(RecordingError, match="choose among those in it that have: links, rechts"):
        read(tmp_path)
    with pytest.raises(RecordingError, match="is one image"):
        read(tmp_path / "links" / "000000.png")


def test_each_camera_of_kitti_has_its_own_matrix(tmp_path: Path, read) -> None:
    for eye in ("image_2", "image_3", "left"):
        write_images(tmp_path / eye, names(2))
    (tmp_path / "calib.txt").write_text(
        "".join(f"P{k}: {PROJECTION.format(tx)}\n" for k, tx in enumerate((0, -10, 1, -7)))
        + "Tr: 1 0 0 0 0 1 0 0 0 0 1 0\n"
    )
    assert find_stereo_folders(tmp_path) == ["image_2", "image_3"]
    with open_source(tmp_path, ["image_2", "image_3"], 10.0) as source:
        assert [each.baseline for each in source.calibrations()] == [-0.05, 0.35]
        assert {image.calibration.baseline for image in source.images()} == {-0.05, 0.35}
    with open_source(tmp_path, ["left"], 10.0) as source:
        with pytest.raises(RecordingError, match="the folder left does not say which"):
            source.calibrations()
        assert [image.calibration for image in source.images()] == [None, None]


def test_a_calibration_of_one_camera_is_that_of_any_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "flight", names(2))
    (tmp_path / "calib.txt").write_text(PROJECTION.format(0))
    with open_source(tmp_path, ["flight"], 10.0) as source:
        (camera,) = source.calibrations()
    assert (camera.width, camera.height, camera.projection[0]) == (WIDTH, HEIGHT, 20)


def test_a_folder_whose_images_are_all_broken_says_why(tmp_path: Path) -> None:
    write_images(tmp_path / "image_0", names(2))
    for file in (tmp_path / "image_0").iterdir():
        file.write_bytes(b"x")
    (tmp_path / "calib.txt").write_text(f"P0: {PROJECTION.format(0)}\n")
    why = r"can be read: .*000000\.png is not an image"
    with open_source(tmp_path, ["image_0"], 10.0) as source, pytest.raises(NoImageError, match=why):
        source.calibrations()
