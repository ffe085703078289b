"""Whether the Hub can be reached from here."""

from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants

ANSWER_SECONDS = 5


def hub_answers() -> bool:
    """Whether the Hub may be asked and answers: its own client tries for half a minute before it gives up."""
    if constants.HF_HUB_OFFLINE:
        return False
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=ANSWER_SECONDS).close()
    except HTTPError:
        return True  # a refusal is an answer
    except OSError:
        return False
    return True
