"""Files of ours that are damaged or of another shape: one line with file, place and remedy."""

import pytest

from segnoise.errors import RecordError
from segnoise.records import Each, Maybe, OneOf, Within, find_fault, read_lines, read_record

SCHEMA = {"score": Maybe(float), "classes": Each({"IoU": Within(0, 100, float)}), "log?": str}
GOOD = b'{"score": 1, "classes": {"sky": {"IoU": 5.5}}, "later": [1]}'


def test_what_fits_is_returned_as_it_is(tmp_path):
    (tmp_path / "a.json").write_bytes(GOOD)
    assert read_record(tmp_path / "a.json", SCHEMA) == {
        "score": 1, "classes": {"sky": {"IoU": 5.5}}, "later": [1],
    }  # fmt: skip
    assert read_record(tmp_path / "none.json", SCHEMA, optional=True) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "it is a list of 0, not an object"),
        (b"7", "it is 7, not an object"),
        (b'"x"', 'it is "x", not an object'),
        (b"null", "it is null"),
        (b'{"score": NaN}', "NaN is no JSON"),
        (b'{"score": 1, "score": 2}', "'score' is there twice"),
        (b'{"score": 1e999}', "1e999 is too great a number"),
        (b'{"score": 1' + b"0" * 5000 + b"}", "is too great a number"),
        (b'{"score": true, "classes": {}}', "score is true, not a number"),
        (b'{"classes": {}}', "score is missing"),
        (b'{"score": 1, "classes": {"sky": {"IoU": 101}}}', "classes.sky.IoU is 101, not a number"),
        (b'{"score": 1, "classes": {"sky": 1}}', "classes.sky is 1, not an object"),
        (b'{"score": 1, "classes": {}, "log": 1}', "log is 1, not a text"),
        (b'{"score": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"score": "\xff"}', "not UTF-8 (byte 11)"),
        (GOOD[:-3], "no JSON"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, content, words):
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(RecordError) as error:
        read_record(path, SCHEMA, "mend it")
    text = str(error.value)
    assert text.startswith(f"{path}: damaged: ")
    assert text.endswith("; mend it")
    assert words in text
    assert "\n" not in text
    assert len(text) < 300 + len(str(path))


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"a\.json: no such file; do that"):
        read_record(tmp_path / "a.json", dict, "do that")
    with pytest.raises(RecordError, match="damaged: it is no file"):
        read_record(tmp_path, dict)


@pytest.mark.parametrize(
    ("value", "schema", "fault"),
    [
        ([1, "a"], (int, str), None),
        ([1], (int, str), "it is a list of 1, not a list of 2"),
        ({"a": 2}, {"a": OneOf((1, 3))}, "a is 2, not 1 or 3"),
        (-1, Within(0), "it is -1, not a whole number from 0"),
        (1.5, Within(0, 2), "it is 1.5, not a whole number from 0 to 2"),
        (float("nan"), float, "it is NaN, not a number"),
        ({1: 2}, Each(int), "it is 1, not a text, as a key is"),
        ({1: 2}, Each(int, keys=int), None),
        (b"x", str, "it is a bytes, not a text"),
    ],
)
def test_schemas(value, schema, fault):
    assert find_fault(value, schema) == fault


def test_lines_that_are_damaged_are_told_from_the_others(tmp_path):
    path = tmp_path / "scalars.json"
    path.write_bytes(b'{"a": 1}\n{"a": "x"}\n7\n\xff\n{"a": 2}\n{"a": ')
    found = [value for _, value in read_lines(path, {"a": int})]
    assert found == [{"a": 1}, None, None, None, {"a": 2}, None]
    assert "".join(line for line, _ in read_lines(path, dict)).startswith('{"a": 1}\n{"a": "x"}')
    assert list(read_lines(tmp_path / "none.json", dict)) == []
