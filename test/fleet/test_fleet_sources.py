"""Where recordings are found, and what they are called."""

import pytest

from coarse_loftr_ros.fleet.settings import FleetError, Settings, read_settings
from coarse_loftr_ros.fleet.sources import find_recordings


def names(*sources):
    return [each.name for each in find_recordings([str(source) for source in sources])]


def test_a_folder_is_searched_for_every_kind_of_recording(garage, tmp_path):
    (tmp_path / "tum").mkdir()
    (tmp_path / "tum" / "rgb.txt").write_text("")
    (tmp_path / "euroc" / "mav0" / "cam0").mkdir(parents=True)
    (tmp_path / "rosbag" / "x").mkdir(parents=True)
    (tmp_path / "rosbag" / "metadata.yaml").write_text("")
    (tmp_path / "rosbag" / "rosbag_0.mcap").write_bytes(b"")
    (tmp_path / "notes.md").write_text("")
    assert names(tmp_path) == ["euroc", "rosbag", "tum"]
    assert "sequence" in names(garage)


def test_globs_and_lists_name_recordings_once(garage, tmp_path):
    listed = tmp_path / "drives.txt"
    listed.write_text(f"# ours\n{garage}/monday\n\n{garage}/tuesday/fl*.mcap\n{garage}/sequence\n")
    assert names(listed) == ["monday-flight", "tuesday-flight", "sequence"]
    assert names(listed, garage / "sequence", garage / "*" / "flight.mcap") == names(listed)


def test_a_recording_whose_name_has_the_signs_of_a_glob_is_found(tmp_path):
    for name in ("drive[1]", "drive1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    (found,) = find_recordings([str(tmp_path / "drive[1]")])
    assert found.address == str(tmp_path / "drive[1]")
    assert names(tmp_path / "drive[0-9]") == ["drive1"]


def test_neither_a_picture_nor_a_description_beside_bags_hides_them(tmp_path):
    (tmp_path / "monday").mkdir()
    for name in ("monday/a.mcap", "map.png", "plan.png", "metadata.yaml"):
        (tmp_path / name).write_bytes(b"")
    assert names(tmp_path) == ["a"]
    (tmp_path / "frames" / "masks").mkdir(parents=True)
    for name in ("1.png", "2.png", "masks/1.png", "masks/2.png"):
        (tmp_path / "frames" / name).write_bytes(b"")
    assert names(tmp_path) == ["frames", "a"]


def test_what_a_fleet_has_written_is_no_recording(fleet, flight_bag, tmp_path):
    (tmp_path / "a.mcap").symlink_to(flight_bag)
    assert fleet(tmp_path, "-o", tmp_path / "out", "--bag")[0] == 0
    assert names(tmp_path) == names(tmp_path / "*") == ["a"]


def test_a_link_to_a_folder_above_it_is_not_followed(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "top").symlink_to(tmp_path)
    assert names(tmp_path) == ["a"]


def test_an_empty_folder_among_others_is_a_recording_that_cannot_be_used(tmp_path):
    for name in ("empty", "hollow", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "a.mcap").write_bytes(b"")
    three = (tmp_path / "empty", tmp_path / "full", tmp_path / "empty")
    assert names(*three) == ["empty", "a"]
    with pytest.raises(FleetError, match="no recording"):
        find_recordings([str(tmp_path / "empty"), str(tmp_path / "hollow")])


def test_a_list_may_come_from_another_system(tmp_path):
    (tmp_path / "a.mcap").write_bytes(b"")
    listed = tmp_path / "drives.txt"
    listed.write_bytes(f"\ufeff{tmp_path}/./a.mcap\r\n{tmp_path}/a.mcap\r\n".encode())
    (found,) = find_recordings([str(listed)])
    assert found.address == str(tmp_path / "a.mcap")


@pytest.mark.parametrize(
    ("source", "reason"),
    [("nowhere", "does not exist"), ("no*where", "no recording"), ("nosuch://x", "cannot be")],
)
def test_a_source_without_a_recording_is_refused(tmp_path, source, reason):
    source = source if "://" in source else str(tmp_path / source)
    with pytest.raises(FleetError, match=reason):
        find_recordings([source])


def test_names_that_only_differ_in_what_no_folder_may_have_are_numbered(tmp_path):
    for name in ("a b", "a_b", "a:b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    found = names(*(tmp_path / name for name in ("a b", "a_b", "a:b")))
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("treshold: 0.4", "there is no setting 'treshold'"),
        ("threshold: 2", "threshold is 2; it must be a number of 0 to 1"),
        ("max_matches: 1.5", "whole number"),
        ("mode: sterio", "must be one of auto, stereo"),
        ("left: /a", "both left and right"),
        ("name: a/b", "name is 'a/b'"),
        ("name: ..", "name is '..'"),
        ("mounting: [1, 2]", "six numbers"),
        ("- a", "must be lines of"),
        ("a: [", "are no YAML"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, text, reason):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(FleetError, match=reason):
        read_settings(path)


def test_settings_are_known_by_their_values(tmp_path):
    path = tmp_path / "2026-mine.yaml"
    path.write_text("threshold: 0.25\naltitude: 3\n")
    settings = read_settings(path)
    assert (settings.name, settings.threshold, settings.altitude) == ("2026-mine", 0.25, 3.0)
    assert Settings.of(settings.values(), "here") == settings
    assert settings.digest != Settings().digest == Settings(name="other").digest
