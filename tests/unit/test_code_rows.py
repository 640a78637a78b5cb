"""Tables with a column of codes: kept as they are, widened by what was found."""

import io
from pathlib import Path

import pytest

from resolver.commands.code_rows import MAX_ROW_LINES, check_output, open_table
from resolver.commands.rows import Lines
from resolver.errors import SetupError

FOUND = {"scheme": "gs1", "code": "(01)1", "identifier": "88.1/A", "URL": "u"}


def table(text: str, column: str = "sku", name: str = "erp.csv"):
    file = Path(name)
    return open_table(Lines(io.BytesIO(text.encode()), file), file, column, ("URL",))


def rows(text: str, **options):
    return list(table(text, **options).rows())


def test_a_row_keeps_its_cells_and_gets_new_ones():
    erp = table("sku,qty\n123,4\n")
    (row,) = erp.rows()

    assert erp.header() == (
        "sku,qty,idis_scheme,idis_code,idis_identifier,idis_level,idis_error,idis_URL\n"
    )
    assert erp.line(row, FOUND) == "123,4,gs1,(01)1,88.1/A,,,u\n"


def test_the_column_is_found_by_its_name_wherever_it_stands():
    assert [row.code for row in rows('a, sku \n1,"x,y"\n')] == ["x,y"]


def test_a_cell_may_have_line_breaks():
    (row, last) = rows('sku,note\nA,"one\ntwo"\nB,\n')

    assert (row.content, last.code) == (["A", "one\ntwo"], "B")
    assert (row.line, last.line) == (3, 4)


@pytest.mark.parametrize("lines", [1, 3, MAX_ROW_LINES + 5])
def test_an_open_quote_costs_its_own_line_only(lines):
    text = 'sku,note\nA,"open\n' + "".join(f"B{n},x\n" for n in range(lines))
    found = rows(text)

    assert found[0].error
    assert [row.code for row in found[1:]] == [f"B{n}" for n in range(lines)]


def test_a_quote_that_nobody_closes_is_called_so():
    assert "quote is not closed" in rows('sku,note\nA,"open\nB,x\n')[0].error


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sku,sku\nA,B\n", "a name of its own"),
        ("name;sku\n", "commas, not by ';'"),
        ("name\tsku\n", r"commas, not by '\t'"),
        ("name,qty\n", "the columns are name, qty"),
    ],
)
def test_a_column_that_is_not_there_once_is_an_error_with_a_hint(text, hint):
    with pytest.raises(SetupError) as caught:
        table(text)
    assert hint in caught.value.hint


def test_a_header_in_another_encoding_says_how_to_convert_it():
    lines = Lines(io.BytesIO("编码\nA\n".encode("gb18030")), Path("erp.csv"))
    with pytest.raises(SetupError) as caught:
        open_table(lines, Path("erp.csv"), "编码", ())
    assert "iconv" in caught.value.hint


def test_a_number_in_json_is_told_to_be_one():
    (row,) = rows('{"sku": 9521000100015}\n', name="erp.jsonl")
    assert "numbers lose leading zeros" in row.error


def test_a_row_with_other_cells_is_told_and_the_next_one_is_read():
    first, second = rows("sku,qty\nA,1,2\nB,3\n")

    assert "2 cells expected, 3 there" in first.error
    assert second.code == "B"


def test_octets_that_are_no_text_cost_their_own_line():
    lines = Lines(io.BytesIO(b"sku\nA\n\xff\xfe\nB\n"), Path("erp.csv"))
    found = list(open_table(lines, Path("erp.csv"), "sku", ()).rows())

    assert [bool(row.error) for row in found] == [False, True, False]
    assert "UTF-8" in found[1].error


def test_json_lines_get_a_member():
    erp = table('{"sku":"A","qty":1}\n', name="erp.jsonl")
    (row,) = erp.rows()

    assert erp.line(row, {"scheme": "gs1", "error": ""}) == (
        '{"sku": "A", "qty": 1, "idis": {"scheme": "gs1"}}\n'
    )


@pytest.mark.parametrize(
    "line", ["[1]", "{", '{"sku": 5}', '{"other": "A"}', "[" * 100_000]
)
def test_a_json_line_without_a_code_is_told_and_the_next_one_is_read(line):
    first, second = rows(f'{line}\n{{"sku":"B"}}\n', name="erp.jsonl")

    assert first.error
    assert second.code == "B"


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("a,b\n", {}, "no column 'sku'"),
        ("", {}, "a header expected"),
        ('"open\n', {}, "line 1"),
        ("sku\n", {"name": "erp.xlsx"}, "a .csv or .jsonl"),
    ],
)
def test_a_table_that_is_none_is_told(text, options, reason):
    with pytest.raises(SetupError, match=reason):
        table(text, **options)


def test_the_new_table_is_another_file_of_the_same_kind(tmp_path):
    source = tmp_path / "erp.csv"
    source.write_text("sku\n")
    with pytest.raises(SetupError, match="another file"):
        check_output(source, source)
    with pytest.raises(SetupError, match=r"a \.csv file"):
        check_output(tmp_path / "out.jsonl", source)
