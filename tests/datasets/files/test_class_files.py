"""Class names from text files, and from files of other tools."""

import os

import pytest

from segnoise.datasets import FolderDataset
from segnoise.datasets.files.class_files import read_classes
from segnoise.errors import ConfigError, DataError

READ = {
    "plain": (b"road\n\n# a remark\nleft kidney\n", ("road", "left kidney"), None),
    "windows": (b"\xef\xbb\xbfroad\r\nsky\r\n", ("road", "sky"), None),
    "utf-16": ("road\r\nsky".encode("utf-16"), ("road", "sky"), None),
    "colours": (b"road 128 64 128\nsky 1,2,3\n", ("road", "sky"), ((128, 64, 128), (1, 2, 3))),
    "kaggle": (b"name,r,g,b\nroad,128,64,128\nsky,1,2,3\n", ("road", "sky"),
               ((128, 64, 128), (1, 2, 3))),
    "roboflow": (b"Pixel Value, Class\n0, background\n1, cat\n2, dog\n",
                 ("background", "cat", "dog"), None),
    "cvat": (b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nride: car:250,50,83::\n",
             ("background", "ride: car"), ((0, 0, 0), (250, 50, 83))),
    "labelme": (b"__ignore__\n_background_\ncat\n", ("_background_", "cat"), None),
    "numbered": (b"T 1 2\ngrade 2\n", ("T 1 2", "grade 2"), None),
    "digits": (b"0\n1\n2\n", ("0", "1", "2"), None),
    "some commas": (b"trees, bushes\nroad\n", ("trees, bushes", "road"), None),
}  # fmt: skip
REFUSED = {
    "filename,cat,dog\na.jpg,1,0\n": "a table of images and their classes",
    "Pixel Value, Class\n0, background\n7, cat\n": "pixel values are not 0 to 1",
    '{"names": ["a"]}\n': "is JSON, XML or YAML",
    "names:\n  0: cat\n": "is YAML",
    "0 background\n1 cat\n": "has numbers before the names",
    "0: background\n1: cat\n": "has numbers before the names",
    "Idx\tName\n1\twall\n": "a table of columns between tabs",
    "cat,1\ndog,2\n": "a table of columns between commas",
    "# label:color_rgb:parts:actions\ncat\n": "line 'cat' is not label:color_rgb:parts:actions",
    "": "names no class",
    "road 1 2 3\nsky\n": "gives 1 of 2 classes a colour",
    "cat\ncat\n": "class names repeat: cat",
    "ca\0t\ndog\n": "holds a control character",
    "- cat\n- dog\n": "is YAML",
    "cat 0\ndog 1\nfox 2\n": "has numbers behind the names",
    "cat #ff0000\ndog #00FF00\n": "has colours that are not written as `road 128 64 128`",
    '"cat"\n"dog"\n': "has names in quotation marks",
    'name,r,g,b\n"cat, dog",0,0,0\nfox,1,1,1\n': "has names in quotation marks",
    "cat, dog": "has all its names on one line",
    "item {\n  name: 'cat'\n}\n": "is a file with braces",
}


@pytest.mark.parametrize("kind", READ)
def test_read(tmp_path, kind):
    content, names, colors = READ[kind]
    path = tmp_path / "classes.txt"
    path.write_bytes(content)
    assert read_classes(path) == (names, colors)


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "classes.txt"
    for text, words in REFUSED.items():
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            read_classes(path)
        assert str(caught.value).startswith(f"{path}: "), text
        assert words in str(caught.value), text
    path.write_bytes(b"na\xefve\n")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_classes(path)
    with pytest.raises(DataError, match=r"none.txt: file of class names not found"):
        read_classes(tmp_path / "none.txt")


def test_a_pipe_is_no_class_file(tmp_path):
    os.mkfifo(tmp_path / "classes.txt")
    with pytest.raises(DataError, match=r"classes.txt: is a named pipe, not a file; "):
        read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "names", [[1, "1"], ["a", "b\nc"], ["\x1b[31mred"], ["a\u2028b"], [" "], 7]
)
def test_names_that_cannot_be_told_apart_or_shown(folder_root, names):
    with pytest.raises(ConfigError, match=r"repeat: 1|control character|must be a list") as caught:
        FolderDataset(folder_root, classes=names)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bar_in_a_name_stays_in_its_cell(folder_root):
    from segnoise.inspection import check_dataset

    dataset = FolderDataset(folder_root, classes=["a|b", "<i>", "c"])
    table = check_dataset(dataset).table(dataset.metainfo["classes"])
    assert r"| a\|b  |" in table
