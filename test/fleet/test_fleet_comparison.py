"""What `coarse-loftr fleet compare` says of two fleets."""

import json

import pytest

from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.fleet.folder import RESULT, FleetFolder
from coarse_loftr_ros.fleet.manifest import Manifest
from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.fleet.sources import Recording


def make_fleet(root, results, settings=None, numpy="2.0"):
    """A fleet of results by the names of its recordings."""
    settings, folder = settings or Settings(), FleetFolder(root)
    recordings = tuple(Recording(name, f"/bags/{name}") for name in results)
    root.mkdir()
    Manifest(recordings, (settings,), True, False, {"numpy": numpy}, {}).write(folder)
    for name, result in results.items():
        with folder.writing(name, settings.name) as new:
            folder.write_json(new / RESULT, result)
    return root


def done(lost_share=0.0, drift=None, inliers=100.0, fingerprint="same"):
    return {
        "status": "done",
        "reason": "",
        "fingerprint": fingerprint,
        "matching": {
            "lost_share": lost_share,
            "longest_loss_s": 0.0,
            "coverage": 0.8,
            "inliers": inliers,
        },
        "odometry": None if drift is None else {"drift_percent": drift, "lost": 0},
    }


@pytest.fixture
def compared(capsys):
    """Runs the command on two folders; what it says as JSON."""

    def run(*folders):
        assert cli.main(["fleet", "compare", *map(str, folders), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_recordings_are_better_where_less_is_lost_or_more_is_found(compared, tmp_path):
    before = make_fleet(
        tmp_path / "a", {"city": done(0.02, 1.0), "park": done(drift=1.0), "yard": done()}
    )
    after = make_fleet(
        tmp_path / "b",
        {"city": done(0.0, 1.0), "park": done(drift=1.2), "yard": done(inliers=106.0)},
    )
    found = compared(before, after)
    assert [(c["recording"], c["metric"], c["before"], c["after"]) for c in found["changes"]] == [
        ("city", "LOST, %", "2.00", "0.00"),
        ("park", "drift, %", "1.000", "1.200"),
        ("yard", "inliers", "100.0", "106.0"),
    ]
    assert [round(c["gain"], 6) for c in found["changes"]] == [20.0, -4.0, 1.2]
    overall = {each["metric"]: each for each in found["overall"]}
    assert overall["LOST, %"]["pairs"] == 3 and overall["LOST, %"]["better"] == 1
    assert overall["drift, %"]["pairs"] == 2 and overall["drift, %"]["worse"] == 1
    assert found["differences"] == ""


def test_a_recording_that_can_no_longer_be_used_comes_first(compared, tmp_path):
    before = make_fleet(tmp_path / "a", {"city": done(0.5), "park": done()})
    broken = {"status": "unusable", "reason": "it is damaged"}
    after = make_fleet(tmp_path / "b", {"city": done(), "park": broken})
    first = compared(before, after)["changes"][0]
    assert (first["recording"], first["metric"]) == ("park", "status")
    assert (first["before"], first["after"]) == ("done", "unusable it is damaged")
    assert first["gain"] < 0 < compared(after, before)["changes"][0]["gain"]


def test_recordings_of_one_name_with_other_content_are_not_compared(compared, tmp_path):
    before = make_fleet(tmp_path / "a", {"city": done(0.5), "old": done(), "park": done()})
    after = make_fleet(
        tmp_path / "b", {"city": done(fingerprint="other"), "new": done(), "park": done()}
    )
    found = compared(before, after)
    assert found["other_content"] == ["city"] and found["changes"] == []
    assert (found["only_before"], found["only_after"]) == (["old"], ["new"])
    assert {each["pairs"] for each in found["overall"]} == {1}


def test_a_recording_is_known_by_its_address_where_its_name_is_longer(compared, tmp_path):
    before = make_fleet(tmp_path / "a", {"flight": done(0.5), "city": done()})
    after = make_fleet(tmp_path / "b", {"mon-flight": done(), "tue-flight": done(), "city": done()})
    manifest = after / "manifest.json"
    manifest.write_text(manifest.read_text().replace("/bags/mon-flight", "/bags/flight"))
    found = compared(before, after)
    assert [(each["recording"], each["gain"] > 0) for each in found["changes"]] == [
        ("mon-flight", True)
    ]
    assert (found["only_before"], found["only_after"]) == ([], ["tue-flight"])


def test_fleets_of_one_setting_each_are_compared_whatever_its_name(compared, tmp_path):
    before = make_fleet(tmp_path / "a", {"city": done(0.5)})
    few = Settings(name="few", max_matches=40)
    after = make_fleet(tmp_path / "b", {"city": done()}, few, numpy="2.1")
    found = compared(before, after)
    assert found["settings"] == ["default and few"]
    assert found["differences"] == "max_matches of settings 'default' was 1000 and is 40"
    again = make_fleet(tmp_path / "c", {"city": done()}, numpy="2.1")
    assert compared(before, again)["differences"] == "numpy was 2.0 and is 2.1"


def test_fleets_without_a_common_recording_are_refused(refusal, tmp_path):
    before = make_fleet(tmp_path / "a", {"city": done()})
    after = make_fleet(tmp_path / "b", {"park": done()})
    assert "have no recording in common" in refusal("fleet", "compare", before, after)
