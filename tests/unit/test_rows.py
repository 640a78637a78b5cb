"""Tables of identifiers: what is read, and what a bad row costs: itself alone."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from registry.model.value import Value
from resolver.commands.rows import MAX_LINE_OCTETS, Row, read_rows
from resolver.errors import SetupError

HEAD = b"identifier,URL,NAME\n"
GOOD = b"88.118.7/GOOD,https://example.com,good\n"
GOOD_JSON = b'{"identifier": "88.118.7/GOOD", "URL": "https://example.com"}\n'


@pytest.fixture
def table(tmp_path):
    def write(octets, name="table.csv"):
        file = tmp_path / name
        file.write_bytes(octets)
        return list(read_rows(file))

    return write


def pairs(row):
    return [(value.index, value.type, value.data.decode()) for value in row.values]


def good(rows):
    return [row for row in rows if row.identifier == "88.118.7/GOOD" and not row.error]


def test_a_row_has_a_value_for_each_cell_that_is_not_empty(table):
    rows = table(HEAD + b"88.1/a,https://a,A\n88.1/b,,B\n88.1/c,,\n")
    assert [pairs(row) for row in rows] == [
        [(1, "URL", "https://a"), (2, "NAME", "A")],
        [(1, "NAME", "B")],
        [],
    ]
    assert [row.line for row in rows] == [2, 3, 4]
    assert not any(row.error for row in rows)


def test_octets_count_up_to_the_end_of_the_file(table, tmp_path):
    rows = table(HEAD + GOOD * 3)
    assert rows[-1].octets == (tmp_path / "table.csv").stat().st_size
    assert sorted({row.octets for row in rows}) == [row.octets for row in rows]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_lines_may_end_as_any_system_ends_them(table, end):
    rows = table(HEAD.strip() + b"\r\n" + GOOD.strip() + end)
    assert pairs(rows[0]) == [(1, "URL", "https://example.com"), (2, "NAME", "good")]


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "TABLE.CSV"])
def test_a_byte_order_mark_is_no_part_of_the_table(table, name):
    octets = HEAD + GOOD if name.lower().endswith("csv") else GOOD_JSON
    assert len(good(table(b"\xef\xbb\xbf" + octets, name))) == 1


def test_quotes_hold_commas_quotes_and_lines_together(table):
    rows = table(HEAD + b'88.1/a,"x, ""y""\nz",N\n' + GOOD)
    assert pairs(rows[0])[0] == (1, "URL", 'x, "y"\nz')
    assert [row.line for row in rows] == [3, 4]


def test_names_of_columns_may_have_spaces_around_them_and_any_case(table):
    rows = table(b" Identifier , URL \n88.1/a,x\n")
    assert pairs(rows[0]) == [(1, "URL", "x")]


def test_empty_lines_are_no_rows(table):
    assert len(table(HEAD + b"\n" + GOOD + b"\n\n")) == 1
    assert len(table(b"\n" + GOOD_JSON + b"  \n\n", "t.jsonl")) == 1


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"88.1/a,x\n", "3 cells expected, 2 there"),
        (b"88.1/a,x,y,z\n", "3 cells expected, 4 there"),
        (b'88.1/a,"x"y,z\n', "expected after"),
        (b"88.1/a,\xff,z\n", "UTF-8 expected"),
        (b"88.1/a," + b"x" * MAX_LINE_OCTETS + b",y\n", "octets expected"),
        (b"88.1/a," + b"x" * 3 * MAX_LINE_OCTETS + b",y\n", "octets expected"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_the_rest_is_read(table, octets, why):
    rows = table(HEAD + GOOD + octets + GOOD)
    assert len(good(rows)) == 2
    (bad,) = [row for row in rows if row.error]
    assert why in bad.error
    assert bad.line == 3
    assert bad.values == ()


def test_a_line_of_exactly_the_limit_is_read(table):
    start = b"88.1/a,"
    filler = b"x" * (MAX_LINE_OCTETS - len(start) - 3)
    rows = table(HEAD + start + filler + b",y\n" + GOOD)
    assert [len(value.data) for value in rows[0].values] == [len(filler), 1]
    assert len(good(rows)) == 1


def test_a_quote_that_never_closes_is_an_error_and_no_row(table):
    rows = table(HEAD + GOOD + b'88.1/a,"x,y\n' + GOOD)
    assert [bool(row.error) for row in rows] == [False, True]


def test_a_value_in_a_column_without_a_name_is_not_lost_in_silence(table):
    rows = table(b"identifier,URL,\n88.1/a,x,\n88.1/b,x,y\n")
    assert pairs(rows[0]) == [(1, "URL", "x")]
    assert "type" in rows[1].error


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"URL,identifier\n",
        b"identifier\n",
        GOOD,
        b"\xff\n",
        b"x" * (MAX_LINE_OCTETS + 5),
        b'"identifier,URL\n',
    ],
)
def test_a_table_without_a_header_is_refused_with_its_name(table, octets):
    with pytest.raises(SetupError, match=r"table\.csv, line 1"):
        table(octets)


@pytest.mark.parametrize("name", ["table.txt", "table", "table.xlsx", ".csv"])
def test_other_files_are_refused(table, name):
    with pytest.raises(SetupError, match=r"\.csv or \.jsonl"):
        table(HEAD, name)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(SetupError, match="No such file"):
        list(read_rows(tmp_path / "none.csv"))
    (tmp_path / "directory.csv").mkdir()
    with pytest.raises(SetupError, match="directory"):
        list(read_rows(tmp_path / "directory.csv"))


def test_reading_a_table_takes_no_more_than_it_needs(tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(HEAD + GOOD * 100_000)
    rows = read_rows(file)
    assert next(rows).line == 2
    rows.close()


JSON_FORMS = [
    {"URL": "x", "NAME": "y"},
    {"values": {"URL": "x", "NAME": "y"}},
    {"values": [{"type": "URL", "data": "x"}, {"type": "NAME", "data": "y"}]},
    {
        "values": [
            {"index": 1, "type": "URL", "data": "x"},
            {"type": "NAME", "data": "y"},
        ]
    },
]


@pytest.mark.parametrize("form", JSON_FORMS)
def test_json_lines_say_the_same_in_each_form(table, form):
    line = json.dumps({"identifier": "88.1/a", **form}).encode()
    rows = table(line, "table.jsonl")
    assert rows == [Row(1, len(line), "88.1/a", rows[0].values_octets)]
    assert pairs(rows[0]) == [(1, "URL", "x"), (2, "NAME", "y")]


def test_an_index_of_ones_own_stays(table):
    line = (
        b'{"identifier": "88.1/a", "values": [{"index": 9, "type": "A", "data": ""}]}'
    )
    assert table(line, "t.jsonl")[0].values == (Value(9, "A", b""),)


BAD_JSON = [
    "{",
    "[]",
    "7",
    "null",
    '"text"',
    "[" * 100_000,
    '{"URL": "x"}',
    '{"identifier": 7}',
    '{"identifier": "\\ud800", "URL": "x"}',
    '{"identifier": "a", "URL": 7}',
    '{"identifier": "a", "URL": null}',
    '{"identifier": "a", "URL": "\\ud800"}',
    '{"identifier": "a", "\\ud800": "x"}',
    '{"identifier": "a", "": "x"}',
    '{"identifier": "a", "values": 7}',
    '{"identifier": "a", "values": "ab"}',
    '{"identifier": "a", "values": null}',
    '{"identifier": "a", "values": ["ab"]}',
    '{"identifier": "a", "values": [7]}',
    '{"identifier": "a", "values": [["URL", "x"]]}',
    '{"identifier": "a", "values": [{"type": "URL"}]}',
    '{"identifier": "a", "values": [{"type": "URL", "data": 7}]}',
    '{"identifier": "a", "values": [{"index": true, "type": "URL", "data": "x"}]}',
    '{"identifier": "a", "values": [{"index": 0, "type": "URL", "data": "x"}]}',
    '{"identifier": "a", "values": [{"index": -1, "type": "URL", "data": "x"}]}',
    '{"identifier": "a", "values": [{"index": 4294967296, "type": "A", "data": ""}]}',
    '{"identifier": "a", "values": [{"index": 1, "type": "'
    + "x" * 256
    + '", "data": ""}]}',
    "\udcff",
]


@pytest.mark.parametrize("text", BAD_JSON, ids=range(len(BAD_JSON)))
def test_a_bad_json_line_is_told_with_its_line_and_the_rest_is_read(table, text):
    line = text.encode(errors="surrogateescape")
    rows = table(GOOD_JSON + line + b"\n" + GOOD_JSON, "table.jsonl")
    assert [row.line for row in rows] == [1, 2, 3]
    assert len(good(rows)) == 2
    assert rows[1].error
    assert rows[1].values == ()


@given(octets=st.binary(max_size=300), kind=st.sampled_from(["csv", "jsonl"]))
@settings(max_examples=300)
def test_any_octets_are_rows_or_errors(tmp_path_factory, octets, kind):
    file = tmp_path_factory.getbasetemp() / f"any.{kind}"
    start = HEAD if kind == "csv" else GOOD_JSON
    file.write_bytes(start + octets)
    for row in read_rows(file):
        assert row.error or row.identifier is not None
        assert 0 < row.octets <= len(start) + len(octets)
