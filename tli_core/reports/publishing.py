"""An adapter's folder → a repository on the Hub, under its owner's login, with the licence that its base asks for."""

import json
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from tli_core.i18n import N_, translate
from tli_core.models.adapter_sources import CONFIG
from tli_core.models.registry import HUB_ID
from tli_core.reports.model_card import NOTICE, needs_llama_name

UPLOADED = ("*.json", "*.safetensors", "README.md", NOTICE)


def check_repo_name(folder: Path, repo: str) -> str:
    """The repository's id, if an adapter may be published under it.

    Raises:
        ValueError: it is no id, or lacks what the base's licence asks of a name.
    """
    repo = repo.strip()
    if not HUB_ID.fullmatch(repo):
        raise ValueError(translate("{repo!r} is no Hub id: write it as your-name/adapter-name.", repo=repo[:80]))
    base = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    if needs_llama_name(base) and not repo.partition("/")[2].startswith("Llama"):
        owner, _, name = repo.partition("/")
        raise ValueError(
            translate(
                "The Llama 3.1 licence asks that a model made with it has Llama at the beginning of its name: call it "
                "{name}.",
                name=f"{owner}/Llama-{name}",
            )
        )
    return repo


def publish_adapter(folder: Path, repo: str, token: str, private: bool = True) -> str:
    """Put an adapter with its card on the Hub, and return the address.

    Raises:
        ValueError: the name may not be used, or the Hub refuses.
    """
    repo = check_repo_name(folder, repo)
    hub = HfApi(token=token)
    try:
        hub.create_repo(repo, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repo, folder_path=folder, allow_patterns=list(UPLOADED), commit_message=f"Add {folder.name}"
        )
    except (HfHubHTTPError, OSError) as error:
        text = N_("The Hub did not take {repo}: {error}")
        raise ValueError(translate(text, repo=repo, error=str(error).splitlines()[0])) from error
    return f"{hub.endpoint}/{repo}"
