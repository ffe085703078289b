"""How a base is loaded, decided before anything is fetched, on machines of every size."""

import pytest

import tli_core.models.load_plan
from tests.hub import serve, take_for_the_hub
from tests.models.test_checkpoint import write
from tli_core.cli.common import LOADS
from tli_core.models.checkpoint import load_size
from tli_core.models.load_plan import WAYS, Machine, Plan, gigabytes, plan
from tli_core.models.placement import Placement
from tli_core.models.quantization import NAMES
from tli_core.models.registry import KNOWN_MODELS

MINI = KNOWN_MODELS["lugha-mini"]
PLENTY = 10**12


def test_the_weights_of_a_folder_are_counted_without_reading_them():
    whole, first = load_size(MINI), load_size(MINI, 2)
    assert whole.cached == whole.download > 20_000_000
    assert 2 * whole.parameters == pytest.approx(whole.download, rel=0.01)
    assert first.parameters < whole.parameters / 2 and first.download < whole.download


@pytest.mark.parametrize(
    ("machine", "placement", "says"),
    [
        (Machine(PLENTY, PLENTY, (5_000_000, PLENTY)), Placement("cuda:1"), "It fits the GPU"),
        (
            Machine(PLENTY, PLENTY, (15_000_000, 20_000_000)),
            Placement("cuda:0", limits={0: 12_000_000, 1: 16_000_000}),
            "spread over 2 GPUs",
        ),
        (
            Machine(PLENTY, PLENTY, (5_000_000,)),
            Placement("cuda:0", limits={0: 4_000_000, "cpu": int(PLENTY / 1.25)}),
            "stays in memory, and a scan fetches each block once",
        ),
        (Machine(PLENTY, PLENTY), Placement("cpu"), "There is no GPU"),
        (Machine(20_000_000, PLENTY), Placement("cpu", 2), "only its first 2 blocks are loaded"),
        (Machine(20_000_000, 10_000_000_000), Placement("cpu", 2), "only its first 2 blocks are loaded"),
    ],
)
def test_the_choice_follows_the_machine_and_says_why(machine, placement, says, monkeypatch):
    monkeypatch.setattr(tli_core.models.load_plan, "can_quantise", lambda: False)
    chosen = plan(MINI, machine)
    assert chosen.placement == placement and chosen.fits
    assert says in chosen.reason and "nothing to download" in chosen.sentence


@pytest.mark.parametrize(("free", "bits"), [(20_000_000, 8), (12_000_000, 4)])
def test_a_gpu_that_is_too_small_gets_fewer_bits_where_bitsandbytes_is_installed(free, bits, monkeypatch):
    monkeypatch.setattr(tli_core.models.load_plan, "can_quantise", lambda: True)
    chosen = plan(MINI, Machine(PLENTY, PLENTY, (free,)))
    assert chosen.placement == Placement("cuda:0", bits=bits)
    assert chosen.reason.endswith(f"{NAMES[bits]} it fits: figures are those of the {NAMES[bits]} model.")


def test_a_way_can_be_asked_for_and_is_refused_where_it_does_not_fit():
    small = Machine(20_000_000, PLENTY)
    assert plan(MINI, small, "offload").placement == Placement("cpu", limits={"cpu": 16_000_000})
    assert plan(MINI, Machine(PLENTY, PLENTY), "first-blocks").placement == Placement("cpu", 2)
    on_cpu = plan(MINI, Machine(PLENTY, PLENTY, (PLENTY,)), "cpu")
    assert on_cpu.placement == Placement("cpu") and on_cpu.reason.startswith("As asked; memory has")
    with pytest.raises(ValueError, match="cannot be loaded gpu here: GPUs have nothing free, memory 20 MB; leave"):
        plan(MINI, small, "gpu")
    with pytest.raises(ValueError, match=r"8-bit here.*and the package bitsandbytes"):
        plan(MINI, small, "8-bit")


def test_a_machine_that_is_too_small_is_told_so():
    chosen = plan(MINI, Machine(1_000_000, PLENTY))
    assert not chosen.fits and "use a machine with more, or lugha-mini" in chosen.sentence


def test_the_command_line_offers_the_ways_that_there_are():
    assert ("auto", *WAYS, "first-blocks") == LOADS


def test_this_machine_can_be_asked():
    here = Machine.here()
    assert here.ram > 10**8 and here.disk > 0 and isinstance(plan(MINI), Plan)
    assert gigabytes(4.89e9) == "4.9 GB" and gigabytes(22_400_000) == "22 MB"


def test_a_plan_for_the_hub_fetches_the_config_and_the_index_only(tmp_path, monkeypatch):
    folder = write(tmp_path / "model")
    with serve(folder, "owner/model") as served:
        take_for_the_hub(served, tmp_path / "home", monkeypatch)
        whole, first = (plan("owner/model", Machine(ram, PLENTY)) for ram in (PLENTY, 0))
    shards = sum(shard.stat().st_size for shard in folder.glob("*.safetensors"))
    assert whole.weights.download == shards and whole.weights.cached == 0
    assert 0 < first.weights.download < shards and not first.fits
    assert set(served.gets) <= {"config.json", "model.safetensors.index.json"}
