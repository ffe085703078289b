"""Every measure that is registered is computed or read, and shown where it says."""

import numpy as np
import pytest

from tli_core.measures.alignment import measure
from tli_core.measures.registry import COMPUTED, MEASURES
from tli_core.reports.json_csv import alignment_json
from tli_core.reports.tables import alignment_rows


def test_keys_are_told_apart_and_each_is_computed_or_read():
    assert len({entry.key for entry in MEASURES}) == len(MEASURES)
    assert all((entry.compute is None) != (entry.read is None) for entry in MEASURES)
    assert all(entry.label and entry.help.endswith(".") for entry in MEASURES)


@pytest.mark.parametrize("entry", MEASURES, ids=lambda entry: entry.key)
def test_a_measure_has_a_value_at_every_layer_and_stands_in_the_json(entry, tiny, pairs):
    result = measure(tiny, pairs)
    layer = alignment_json(result)["layers"][-1]
    for way in entry.ways:
        values = entry.values(result, way)
        assert len(values) == len(result.names)
        told = layer[entry.key][way] if way else layer[entry.key]
        assert np.allclose(np.array(told, dtype=float), values[-1], equal_nan=True)


def test_the_table_has_a_column_for_every_measure_that_asks_for_one(tiny, pairs):
    heading, first, *_ = alignment_rows(measure(tiny, pairs))
    columns = sum(len(entry.ways) for entry in MEASURES if entry.in_table)
    assert len(heading) == len(first) == columns + 2 and COMPUTED.keys() >= {"auc", "centred", "mexa"}
