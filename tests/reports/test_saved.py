"""A saved measurement is the measurement itself, says where it is from, and is refused once it was altered."""

import json
from dataclasses import fields, replace
from hashlib import sha256

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tli_core.measures.across_models import Compared, compare_models, standings
from tli_core.measures.alignment import measure
from tli_core.measures.verdicts import verdict
from tli_core.reports import saved
from tli_core.reports.across_models import standing_sentences
from tli_core.reports.json_csv import alignment_json
from tli_core.reports.saved import ENDING, INDEX, read_measurement, read_shipped, save_measurement, shipped_measurements


@pytest.fixture
def result(tiny, pairs):
    return measure(tiny, pairs)


def test_what_is_read_is_what_was_saved(result, tmp_path):
    digest = save_measurement(result, tmp_path / f"mine{ENDING}")
    found = read_measurement(tmp_path / f"mine{ENDING}")
    assert (found.name, found.sha256) == ("mine", digest)
    assert alignment_json(found.result) == alignment_json(result)
    for field in fields(result):
        was, now = getattr(result, field.name), getattr(found.result, field.name)
        assert np.array_equal(was, now) if isinstance(was, np.ndarray) else type(was) is type(now)
    assert [verdict(found.result, i) for i in range(4)] == [verdict(result, i) for i in range(4)]


def test_neighbours_are_the_words_that_lie_nearest(result):
    for way in ("to_target", "to_source"):
        near, ranks = result.nearest[way], result.retrieval[way].rank
        assert near.pair.shape == (4, 30, 5) and (np.diff(near.cosine, axis=2) <= 0).all()
        own = np.arange(30)[None, :, None]
        # The right word is among the five just where its rank says so.
        assert ((near.pair == own).any(axis=2) == (ranks <= 5)).all()


def test_an_altered_file_is_refused(result, tmp_path):
    path = tmp_path / f"mine{ENDING}"
    save_measurement(result, path)
    arrays = load_file(path)
    with safe_open(path, "numpy") as file:
        told = file.metadata()
    save_file({**arrays, "matched": arrays["matched"] + 0.01}, path, told)
    with pytest.raises(ValueError, match=f"mine{ENDING} was altered after it was saved"):
        read_measurement(path)
    save_file(arrays, path, {**told, "measurement": told["measurement"].replace("tiny", "huge")})
    with pytest.raises(ValueError, match="was altered"):
        read_measurement(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      ", b"maji,water\n"])
def test_what_is_no_measurement_is_refused_in_one_sentence(content, tmp_path):
    path = tmp_path / f"mine{ENDING}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no saved measurement: make one with measure --save"):
        read_measurement(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.pop("names"),
        lambda told: told.update(layout=99),
        lambda told: told.update(pairs=[["maji"]]),
        lambda told: told.update(cosine={"array": "not there"}),
        lambda told: told.update(provenance={"model": "x"}),
        lambda told: told.update(names=["one"]),
        lambda told: told.update(wrong_from="<b>"),
        lambda told: told["provenance"].update(readout="of another version"),
        lambda told: told["provenance"].update(view=["raw"]),
        lambda told: told.update(warnings=[{"code": "of another version", "values": []}]),
    ],
)
def test_a_file_with_a_right_checksum_and_wrong_parts_is_refused(change, result, tmp_path):
    path = tmp_path / f"mine{ENDING}"
    arrays: dict[str, np.ndarray] = {}
    told = {"layout": saved.LAYOUT, **saved._apart(result, "", arrays)}
    change(told)
    plain = json.dumps(told)
    save_file(arrays, path, {"measurement": plain, "sha256": saved._digest(plain, arrays)})
    with pytest.raises(ValueError, match="is a measurement of another version"):
        read_measurement(path)


def test_what_ships_is_what_its_index_names(result, tmp_path):
    digest = save_measurement(result, path := tmp_path / f"one{ENDING}")
    assert shipped_measurements(tmp_path) == ("one",)
    with pytest.raises(ValueError, match="is not the measurement that shipped"):
        read_shipped("one", tmp_path)
    (tmp_path / INDEX).write_text(f"{sha256(path.read_bytes()).hexdigest()}  one{ENDING}\n")
    assert read_shipped("one", tmp_path).sha256 == digest
    # Made anew with another result: whole, but not the one that shipped.
    save_measurement(replace(result, chance=(0.5, 0.5)), tmp_path / f"one{ENDING}")
    with pytest.raises(ValueError, match="is not the measurement that shipped"):
        read_shipped("one", tmp_path)
    with pytest.raises(ValueError, match=r"There is no measurement .*choose one of one"):
        read_shipped("../one", tmp_path)


def test_every_measurement_that_ships_can_be_read():
    assert shipped_measurements()
    for name in shipped_measurements():
        assert read_shipped(name).result.provenance.model == "lugha-mini"


def test_two_models_are_compared_at_their_outputs_on_the_same_pairs(tiny, pairs, result):
    assert compare_models(result, result).verdict == "no clear change"
    [told] = standing_sentences(standings([Compared("one", result), Compared("other", result)]))
    assert "other beside one, each at the output: P@1 to English" in told
    with pytest.raises(ValueError, match="not measured on the same pairs"):
        compare_models(result, measure(tiny, pairs[:20]))
