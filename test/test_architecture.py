"""docs/architecture.md shows every package, and names no file that is not there."""

import re

import pytest

FOREIGN = ("evo/", "apriltag_ros/", "gluefactory/")  # files of other projects


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "architecture.md").read_text()


def packages(folder):
    """Folders below this one that are Python packages, by their paths within it."""
    found = sorted(path.parent.relative_to(folder) for path in folder.rglob("__init__.py"))
    return [package for package in found if package.parts]


def rows(page):
    """The rows of the table of packages by what their first column says."""
    table = page.split("| package |", 1)[1].split("\n\n", 1)[0]
    return dict(re.findall(r"^\| `([\w: ]+)` \| (.*) \|$", table, re.MULTILINE))


@pytest.mark.parametrize(
    ("folder", "prefix"), [("coarse_loftr_ros", ""), ("lab/coarse_loftr_lab", "lab: ")]
)
def test_every_package_has_its_row_or_is_named_in_that_of_its_parent(
    repository, page, folder, prefix
):
    table = rows(page)
    for package in packages(repository / folder):
        subject = table[prefix + package.parts[0]]
        assert all(f"`{part}/`" in subject for part in package.parts[1:]), package


def test_every_row_is_of_a_package_that_exists(repository, page):
    for name in rows(page):
        place = name.replace("lab: ", "lab/coarse_loftr_lab/")
        parents = (repository, repository / "coarse_loftr_ros")
        assert any((parent / place / "__init__.py").is_file() for parent in parents), name


def test_every_file_that_is_named_exists(repository, page):
    named = re.findall(r"`([\w./-]+\.(?:py|cpp|md|msg|yaml|yml|toml))`", page)
    ours = {name for name in named if not name.startswith(FOREIGN)}
    assert len(ours) > 50
    for name in ours:
        assert any((repository / base / name).is_file() for base in (".", "coarse_loftr_ros")), name


def test_every_page_that_is_linked_exists(repository, page):
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert link.startswith("https://") or (repository / "docs" / link).is_file(), link


def test_the_page_can_be_read_in_one_sitting(page):
    assert len(page.splitlines()) <= 220
