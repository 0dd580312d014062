"""Files of the user are not lost to an output."""

import os

import pytest

from semisup.cli import UserError
from semisup.outputs import check_outputs


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.h5").write_text("model")
    (tmp_path / "link.h5").symlink_to("model.h5")
    os.mkfifo("pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["model.h5"], "model.h5 is read too"),
        (["folder/../model.h5"], "folder/../model.h5 is read too"),
        (["link.h5"], "link.h5 is read too"),
        (["out.csv", "./out.csv"], "./out.csv is asked for twice"),
        (["folder"], "folder is no file, but a folder"),
        (["new/"], "new/ is no file, but a folder"),
        ([""], "an empty path cannot be written"),
        (["pipe"], "pipe is a pipe or a device, not a usual file"),
        (["/dev/null"], "/dev/null is a pipe or a device, not a usual file"),
        (["model.h5/new/out.csv"], r"model.h5/new/out.csv cannot be written: .*/model.h5 is no folder"),
        (["a\nb/"], r"a\\nb/ is no file, but a folder"),
    ],
)
def test_output_that_would_cost_something_is_refused_in_one_line(place, outputs, message):
    with pytest.raises(UserError, match=f"^{message}: name another file to write$"):
        check_outputs(outputs, ["picture.png", "model.h5"])


def test_folder_that_may_not_be_written_to(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"^folder/new/out.csv cannot be written: .*/folder may not be written to: "):
        check_outputs(["folder/new/out.csv"], [])


def test_other_outputs_pass(place):
    (place / "old.csv").write_text("old")
    (place / "dangling.csv").symlink_to("nowhere.csv")
    check_outputs(["old.csv", "new/folder/out.html", "dangling.csv", str(place / "folder" / "x.csv")], ["model.h5"])
