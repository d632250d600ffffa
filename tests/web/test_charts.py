"""Charts as SVG: every number of the table is a dot, whatever is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.web.charts import HEIGHT, WIDTH, percent_chart

TIMES = st.lists(st.integers(0, 4_000_000_000_000), min_size=1, max_size=12).map(sorted)


@given(st.data(), TIMES)
def test_each_number_is_one_dot_inside_the_chart_and_lines_join_neighbours(
    data: st.DataObject, times: list[int]
) -> None:
    places = st.dictionaries(st.integers(0, len(times) - 1), st.floats(0, 100))
    values = data.draw(places)

    chart = percent_chart(times, [("a", 1, values), ("b", 2, {})])

    line, empty = chart.lines
    assert len(line.dots) == len(values) == sum(row[2][0] is not None for row in chart.rows)
    assert (empty.dots, empty.paths) == ([], [])
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in line.dots)
    assert len(chart.rows) == len(times)
    joined = sum(len(points.split()) - 1 for points in line.paths)
    assert joined == sum(place in values and place + 1 in values for place in range(len(times)))


def test_a_chart_of_nothing_is_empty() -> None:
    assert percent_chart([], []).rows == []
