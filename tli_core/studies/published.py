"""What arXiv 2506.15415 reports, from its text and its author's result files, and which word lists it is about."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

PAPER = "arXiv 2506.15415"
SOURCE = "https://github.com/StanNgugi/tli_project"
"""Where its author keeps the word lists (in data/) and the result files: commit e158b76."""

MODEL = "lugha-llama"
TRAINED_LIST, CONTROL_LIST = "word_pairs.json", "control_word_pairs.json"
SHA256 = {
    TRAINED_LIST: "f396ce4c1c1bfa13c4084956de7b5bebd2bfaba8e82cabc36ef59c491d4f5575",
    CONTROL_LIST: "f9295121f908eab1fc436795e7d242ce0974fbbcc672168013ba354267cf8615",
}

PILOT_LAYER = 2
PILOT = (
    0.31531, 0.98080, 0.99998, 0.99996, 0.99994, 0.99991, 0.99988, 0.99983, 0.99978, 0.99976, 0.99975, 0.99975, 0.99973,
    0.99969, 0.99962, 0.99958, 0.99946, 0.99930, 0.99906, 0.99884, 0.99849, 0.99818, 0.99766, 0.99722, 0.99678, 0.99581,
    0.99505, 0.99389, 0.99276, 0.99154, 0.99006, 0.98759,
)  # fmt: skip
"""Mean cosine of right pairs at layers 0 to 31, BOS averaged in; the output, layer 32, was not measured."""


@dataclass(frozen=True)
class PublishedResult:
    """A row of its tables 1 and 2: mean cosine of right pairs before and after, at layer 2, without BOS.

    p is an upper bound, of a paired t-test.
    """

    pairs: int
    before: float
    after: float
    percent: float
    p: float


TRAINED = PublishedResult(623, 0.3211, 0.4113, 28.08, 1.33e-240)
CONTROL = PublishedResult(63, 0.3143, 0.4033, 28.32, 7.17e-27)


def is_published(path: Path | None, name: str) -> bool:
    """Whether a file is the published list of that name, byte for byte."""
    return path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]
