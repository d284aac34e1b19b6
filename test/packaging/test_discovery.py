"""The tools of ROS find both packages in a workspace made as README says."""

import pytest


def test_rosdep_and_bloom_find_both_packages(workspace):
    packages = pytest.importorskip("catkin_pkg.packages", reason="`make test` installs catkin_pkg")
    found = packages.find_packages(str(workspace / "src"))  # refuses two of one name
    assert {path: package.name for path, package in found.items()} == {
        "coarse_loftr_ros": "coarse_loftr_ros",
        "coarse_loftr_msgs": "coarse_loftr_msgs",
    }


def test_the_messages_are_built_before_what_uses_them(workspace):
    order = pytest.importorskip(
        "catkin_pkg.topological_order", reason="`make test` installs catkin_pkg"
    )
    names = [package.name for _, package in order.topological_order(str(workspace / "src"))]
    assert names == ["coarse_loftr_msgs", "coarse_loftr_ros"]


def test_the_link_leaves_nothing_in_the_clone(workspace, source_tree, repository):
    assert (workspace / "src" / "coarse_loftr_msgs").is_symlink()
    messages = {path.name for path in (repository / "coarse_loftr_msgs").iterdir()}
    assert {path.name for path in (source_tree / "coarse_loftr_msgs").iterdir()} <= messages


def test_every_page_with_workspace_steps_makes_the_same_link(repository):
    pages = [repository / "README.md", *(repository / "docs").glob("*.md")]
    building = [page for page in pages if "\ncolcon build" in page.read_text()]
    assert len(building) >= 2
    for page in building:
        text = page.read_text()
        steps = [line.split("  #")[0] for line in text.splitlines()]
        assert "ln -sfn coarse_loftr_ros/coarse_loftr_msgs src/coarse_loftr_msgs" in steps
        assert "rosdep install --from-paths src --ignore-src -y" in steps
        assert "colcon build" in steps
        assert "--base-paths" not in text
