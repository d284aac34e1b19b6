"""What had a name keeps it until the new file is complete, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coarse_loftr_ros.commands.common.errors import UserError, writing
from coarse_loftr_ros.files.whole_files import whole_file, whole_files

KILLED = """
import os, signal, sys
from pathlib import Path
{imports}
path = Path(sys.argv[1])
{write}
    os.kill(os.getpid(), signal.SIGKILL)
"""

FILE = KILLED.format(
    imports="from coarse_loftr_ros.files.whole_files import whole_file",
    write="with whole_file(path) as new:\n    new.write_text('half')",
)
RECORDING = KILLED.format(
    imports="""from coarse_loftr_ros.recordings.bags.messages import image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.images.frame import Frame
import numpy as np""",
    write="""with BagWriter(path, replace=True) as writer:
    writer.write("/image", 1, image_message(Frame(np.zeros((4, 4), np.uint8), 1)))""",
)


def kill_while_writing(program: str, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_new_file_replaces_the_old_one_with_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with whole_file(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    kill_while_writing(FILE, path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "folder"])
def test_a_process_that_is_killed_leaves_the_old_recording(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    file = path
    if name == "folder":
        path.mkdir()
        file = path / "metadata.yaml"
    file.write_text("old")
    kill_while_writing(RECORDING, path)
    assert file.read_text() == "old"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as new:
        new.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for content in ("old", "new"):
        with whole_files(folder) as new:
            for name in ("a", "b"):
                (new / name).write_text(content)
    (folder / "c").write_text("other")
    with pytest.raises(ZeroDivisionError), whole_files(folder) as new:
        (new / "a").write_text("half")
        _ = 1 / 0
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "a": "new",
        "b": "new",
        "c": "other",
    }
    with pytest.raises(ZeroDivisionError), whole_files(tmp_path / "absent") as new:
        _ = 1 / 0
    assert not (tmp_path / "absent").exists()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link) as new:
        new.write_text("new")
    assert link.is_symlink() and target.read_text() == "new"


def test_what_is_no_file_is_written_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(pipe) as new:
            new.write_text("through")
        assert os.read(reader, 99) == b"through"
    finally:
        os.close(reader)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"file/a cannot be written: .*file is not a folder"),
        writing(tmp_path / "file" / "a") as new,
    ):
        new.touch()
    with (
        pytest.raises(UserError, match="cannot be written: Is a directory"),
        writing(tmp_path) as new,
    ):
        new.write_text("a")
