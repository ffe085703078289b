"""Many visitors at once, as `benchmarks/load.py` has them: nobody is refused, and nobody gets another's answer."""

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.load import measured


def test_a_crowd_is_served_without_a_refusal_a_traceback_or_another_s_words():
    """About half as many asks a second as of forty visitors with eight seconds between two; other tests run, too."""
    crowd = Namespace(visitors=6, every=2.5, minutes=0.25, answers=1, training=0)
    # In a thread of its own, as browser tests leave their event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        lone, tally, _, _, tracebacks = thread.submit(measured, crowd).result()
    assert not tally.refused and not tally.failed and not tally.foreign and not tracebacks
    assert len(tally.seconds["open the page"]) == 7
    assert {"measure pairs", "write answers"} <= set(tally.seconds)
    # A ratio, as no machine's seconds are another's; the queue of an overloaded server grows without end.
    assert np.median(tally.seconds["measure pairs"]) < 20 * lone
