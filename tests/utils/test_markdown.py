from halfsmile.utils.markdown import markdown_table


def test_short_rows_are_filled_and_bars_kept() -> None:
    lines = markdown_table(["a", "b", "c"], [["x|y"], ["1", "2", "3"]]).splitlines()
    assert lines == ["| a | b | c |", "| --- | ---: | ---: |", "| x\\|y |  |  |", "| 1 | 2 | 3 |"]


def test_text_is_aligned_to_the_left() -> None:
    assert markdown_table(["a", "b"], [], right=False).splitlines()[1] == "| --- | --- |"
