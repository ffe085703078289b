"""A chart's points as rows, whichever way Plotly writes its numbers."""

import numpy as np
import plotly.graph_objects as go

from ui.widgets.chart_table import MAX_ROWS, points


def test_every_named_point_is_a_row():
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=np.array([0.25, 0.5]), name="right pairs", text=["maji", "moto"])
    figure.add_scatter(x=[0], y=[1.0], hoverinfo="skip", name="band")
    assert points(figure.to_json()) == {
        "headers": ["line", "across", "up", "what"],
        "data": [["right pairs", "0", "0.25", "maji"], ["right pairs", "1", "0.5", "moto"]],
    }


def test_nothing_drawn_is_an_empty_table_and_much_is_cut():
    assert points("{}")["data"] == []
    assert len(points(go.Figure(go.Scatter(x=list(range(5000)), y=[0] * 5000, name="a")).to_json())["data"]) == MAX_ROWS
