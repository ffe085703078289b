"""Charts and results → Plotly figures. Backgrounds are clear so that light and dark pages both serve."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tli_core.i18n import translate
from tli_core.reports.chart import (
    EACH_PAIR,
    Axis,
    Chart,
    Line,
    Panel,
    bar_of,
    best_columns,
    grid,
    layer_axis,
    layer_ticks,
)
from tli_core.reports.figure_style import BAND, DIVERGING, GREY, HEIGHT, PALE_BAND, PANEL_HEIGHT, SERIES, ring, styled
from tli_core.reports.labels import pair_words, plain_label
from tli_core.reports.pair_charts import HeatMap, Scatter

LONGEST_TICK, LONGEST_NAME = 24, 40
"""Letters of a pair beside a heat map, and of a line of the legend: a phone has room for as many."""


def any_figure(chart: Chart | HeatMap | Scatter) -> go.Figure:
    """A line chart, a heat map or a scatter as Plotly draws it."""
    if isinstance(chart, Chart):
        return chart_figure(chart)
    return heat_map_figure(chart) if isinstance(chart, HeatMap) else scatter_figure(chart)


def chart_figure(chart: Chart, columns: int = 1) -> go.Figure:
    """A line chart as Plotly draws it, its panels in at most so many columns."""
    panels, alone, columns = chart.panels, len(chart.panels) == 1, best_columns(chart.panels, columns)
    places = grid(panels, columns)
    rows = places[-1][0] + 1
    figure = (
        go.Figure()
        if alone
        else make_subplots(
            rows=rows,
            cols=columns,
            specs=[[{} if (row, column) in places else None for column in range(columns)] for row in range(rows)],
            subplot_titles=[plain_label(panel.title) for panel in panels] if any(p.title for p in panels) else None,
            vertical_spacing=70 / (PANEL_HEIGHT * rows) if rows > 1 else None,
            horizontal_spacing=0.24 / (columns + 1),
        )
    )
    named: set[str] = set()
    for number, panel in enumerate(panels):
        row, column = places[number]
        place: dict[str, Any] = {} if alone else {"row": row + 1, "col": column + 1}
        _draw_panel(figure, panel, chart, place, named)
        # Said once where the panel to the left has the same.
        said = column > 0 and panels[number - 1].measure == panel.measure
        figure.update_yaxes(title=None if said else panel.measure, **_shared_scale(panels, number), **place)
        # Below the lowest panel of each column alone, as the layers are the same in all.
        if all(below <= row for below, beside in places if beside == column):
            figure.update_xaxes(title=chart.axis.title, **place)
    _mark_axis(figure, chart.axis)
    if len(chart.labels) > 1:
        _add_legend(figure, chart)
    height = HEIGHT if alone else 80 + PANEL_HEIGHT * rows
    # Of sixty pairs' lines one label would list them all, and cover them.
    one_by_one = any(line.kind is EACH_PAIR for panel in panels for line in panel.lines)
    hovermode = "closest" if one_by_one else "x unified"
    return styled(figure, height, chart.heading, hovermode, top=12 if alone else 34)


def _draw_panel(figure: go.Figure, panel: Panel, chart: Chart, place: dict[str, Any], named: set[str]) -> None:
    """Bands first, then lines. named: what the legend has already, as a line is named once for all panels."""
    for line in panel.lines:
        if line.bounds is not None and line.visible and line.banded and len(line.x):
            _draw_band(figure, line, _group(line, chart), place)
    for line in panel.lines:
        listed = len(chart.labels) == 1 and line.kind is not EACH_PAIR and line.name not in named
        figure.add_scatter(
            **_trace(line, panel.form),
            name="<br>".join(textwrap.wrap(plain_label(line.name), LONGEST_NAME)),
            legendgroup=_group(line, chart),
            showlegend=listed,
            **place,
        )
        named.add(line.name)
        _draw_error_bar(figure, line, chart, place)
    if panel.zero:
        figure.add_hline(y=0, line={"color": GREY, "width": 1}, **place)
    if chart.layer is not None:
        figure.add_vline(x=chart.layer, line={"color": GREY, "width": 1, "dash": "longdash"}, **place)


def _trace(line: Line, form: str) -> dict[str, Any]:
    """A line without its name, as `add_scatter` takes it."""
    colour, marker = (GREY, "circle") if line.entry is None else SERIES[line.entry]
    kind = line.kind
    parts, shown = [], [f"%{{y:{form}}}"]
    if line.bounds is not None:
        parts += [line.bounds[:, 0], line.bounds[:, 1]]
        shown.append(f"(%{{customdata[0]:{form}}} – %{{customdata[1]:{form}}})")
    if line.p is not None:
        shown.append(translate("p {p} after Holm", p=f"%{{customdata[{len(parts)}]:.2g}}"))
        parts.append(line.p)
    trace: dict[str, Any] = {
        "x": line.x,
        "y": line.y,
        "mode": "lines+markers" if kind.marked else "lines",
        "line": {"color": colour, "width": kind.width, "dash": kind.dash},
        "hovertemplate": " ".join(shown),
        "visible": True if line.visible else "legendonly",
    }
    if parts:
        trace["customdata"] = np.column_stack(parts)
    if kind.marked:
        trace["marker"] = {"size": 8, "symbol": f"{marker}-open" if kind.dash == "dash" else marker}
    if kind is EACH_PAIR:
        where = translate("layer {layer}: {value}", layer="%{x}", value=shown[0])
        trace |= {"opacity": 0.45, "hovertemplate": f"{plain_label(line.name)}<br>{where}<extra></extra>"}
    return trace


def _group(line: Line, chart: Chart) -> str:
    """What a click on the legend hides at once: a line in all panels, or where several are compared, one of these."""
    return str(line.entry) if len(chart.labels) > 1 else line.name


def _draw_error_bar(figure: go.Figure, line: Line, chart: Chart, place: dict[str, Any]) -> None:
    """The interval of a line without a band, at the chosen layer, beside those of other lines."""
    at = bar_of(line, chart)
    if at is None or line.entry is None:
        return
    x, value, low, high = at
    figure.add_scatter(
        x=[x],
        y=[value],
        mode="markers",
        marker={"color": SERIES[line.entry][0], "size": 4},
        error_y={"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low], "width": 3},
        legendgroup=_group(line, chart),
        showlegend=False,
        hoverinfo="skip",
        **place,
    )


def _add_legend(figure: go.Figure, chart: Chart) -> None:
    """Each hue with what is compared, then each dash, in grey, with what it means."""
    for entry, label in chart.labels.items():
        colour, marker = SERIES[entry]
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines+markers",
            name=plain_label(label),
            line={"color": colour, "width": 3},
            marker={"size": 8, "symbol": marker},
            legendgroup=str(entry),
            hoverinfo="skip",
        )
    for dash, meaning in chart.dashes.items():
        line = {"color": GREY, "width": 2, "dash": dash}
        name = "<br>".join(textwrap.wrap(plain_label(meaning), LONGEST_NAME))
        figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line=line, hoverinfo="skip")


def _draw_band(figure: go.Figure, line: Line, group: str, place: dict[str, Any]) -> None:
    """The band between a line's edges."""
    assert line.bounds is not None
    colour = GREY if line.entry is None else SERIES[line.entry][0]
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    low, high = line.bounds.T
    figure.add_scatter(
        x=np.concatenate([line.x, line.x[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},{PALE_BAND if line.kind.pale else BAND})",
        line={"width": 0},
        legendgroup=group,
        hoverinfo="skip",
        showlegend=False,
        **place,
    )


def _shared_scale(panels: Sequence[Panel], number: int) -> dict[str, str]:
    """Panels of one measure have one scale, that of the first of them."""
    first = next(i for i, panel in enumerate(panels) if panel.measure == panels[number].measure)
    return {} if first == number else {"matches": f"y{first + 1 if first else ''}"}


def _mark_axis(figure: go.Figure, axis: Axis) -> None:
    """Names of layers as far as there is room, with a mark at every one; or plain numbers."""
    if axis.names is None:
        if axis.end:
            figure.update_xaxes(range=[0, axis.end])
        return
    ticks, labels = layer_ticks(axis.names)
    every = {"tickvals": list(range(len(axis.names))), "ticks": "outside", "ticklen": 3}
    figure.update_xaxes(tickvals=ticks, ticktext=labels, minor=every)


def heat_map_figure(chart: HeatMap) -> go.Figure:
    """Purple is above the wrong pairs and orange below: colour-blind readers can distinguish them."""
    apart, reach = chart.apart, chart.reach
    names = [pair_words(pair) for pair in chart.pairs]
    figure = go.Figure(
        go.Heatmap(
            z=apart,
            x=list(range(len(chart.names))),
            y=list(range(len(names))),
            customdata=np.dstack([chart.cosine, np.broadcast_to(chart.mismatched, apart.shape)]),
            text=[[name] * len(chart.names) for name in names],
            hovertemplate="%{text}<br>"
            + translate(
                "layer {layer}: {value}, wrong pairs {wrong}",
                layer="%{x}",
                value="%{customdata[0]:.3f}",
                wrong="%{customdata[1]:.3f}",
            )
            + "<extra></extra>",
            colorscale=DIVERGING,
            zmin=-reach,
            zmax=reach,
            # Below the map, as beside it a phone would have no room for the map.
            colorbar={
                "title": {"text": plain_label(chart.label), "side": "bottom"},
                "thickness": 12,
                "orientation": "h",
                "yref": "container",
                "yanchor": "bottom",
                "y": 0,
            },
        )
    )
    axis = layer_axis(chart.names)
    figure.update_xaxes(title=axis.title)
    _mark_axis(figure, axis)
    if chart.layer is not None:
        figure.add_vline(x=chart.layer, line={"color": GREY, "width": 1, "dash": "longdash"})
    ticks = [_shortened(name) for name in names]
    if chart.picked is not None and chart.picked < len(ticks):
        ticks[chart.picked] = f"<b>▸ {ticks[chart.picked]}</b>"
    figure.update_yaxes(tickvals=list(range(len(ticks))), ticktext=ticks, autorange="reversed")
    return styled(figure, max(HEIGHT, 120 + 18 * len(names)), chart.heading, hovermode="closest")


def _shortened(name: str) -> str:
    """A pair beside a map: of a long one the beginning, as a phone would have no room left for the map."""
    return name if len(name) <= LONGEST_TICK else f"{name[: LONGEST_TICK - 1]}…"


def scatter_figure(chart: Scatter) -> go.Figure:
    """Filled marks are right pairs, open ones their wrong partners; on the dashed line nothing has changed."""
    figure, words = go.Figure(), [pair_words(pair) for pair in chart.pairs]
    colour, marker = SERIES[1]
    for points, name, symbol in (
        (chart.wrong, translate("its wrong pairs' mean"), f"{marker}-open"),
        (chart.right, translate("the right pair"), marker),
    ):
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            name=name,
            mode="markers",
            marker={"color": colour, "size": 7, "symbol": symbol, "opacity": 0.7},
            text=words,
            hovertemplate="%{text}: %{x:.3f} → %{y:.3f}<extra>" + name + "</extra>",
        )
    if chart.picked is not None:
        x, y = chart.right[[chart.picked]].T
        figure.add_scatter(x=x, y=y, **ring(words[chart.picked]))
    line = {"color": GREY, "width": 1, "dash": "dash"}
    figure.add_scatter(x=chart.ends, y=chart.ends, mode="lines", name=translate("no change"), line=line)
    figure.update_xaxes(title=translate("cosine before"))
    figure.update_yaxes(title=translate("cosine after"))
    return styled(figure, HEIGHT, chart.heading, hovermode="closest")
