"""Whether the Hub can be reached from here, and what its refusals mean."""

from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from tli_core.i18n import N_, translate

ANSWER_SECONDS = 5


def hub_refusal(error: Exception, repo: str, revision: str | None = None) -> str:
    """What the Hub's refusal means, and what helps.

    Args:
        revision: the one that was asked for, if any.
    """
    if isinstance(error, RevisionNotFoundError):
        return translate("{repo} has no revision {revision} on the Hub: check its name.", repo=repo, revision=revision)
    if isinstance(error, GatedRepoError):
        text = N_("{repo} is gated: ask for access on its page on the Hub, then log in.")
        return translate(text, repo=repo)
    if isinstance(error, RepositoryNotFoundError):
        text = N_("There is no {repo} on the Hub, or it needs a login: check the id, or log in to the Hub.")
        return translate(text, repo=repo)
    if getattr(getattr(error, "response", None), "status_code", None) == 429:
        return translate("The Hub asks for a pause, as too much was asked of it from here: try again in a few minutes.")
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return translate("The Hub could not be asked for {repo}: {error}", repo=repo, error=reason)


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
