"""What one visitor, and one address, may take of a page that strangers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tli_core as core
from tli_core.i18n import N_, translate
from ui.server.hosting import Hosting
from ui.server.job import Job
from ui.server.storage_quota import StorageQuota
from ui.server.training_run import RunRequest
from ui.server.visitors import Models


def turns(jobs: Iterable[Job]) -> list[Job]:
    """The jobs that wait or run; a control that goes side by side with its run has no turn of its own."""
    at_work = {job.id: job for job in jobs if job.active}
    return [job for job in at_work.values() if job.request.of not in at_work]


class FairShare:
    """Refuses what goes beyond a fair share."""

    def __init__(self, limits: Hosting, models: Models, storage_quota: StorageQuota):
        self._limits = limits
        self._models = models
        self._storage_quota = storage_quota

    def check_new(
        self, request: RunRequest, count: int, owner: str, sender: str, own: Sequence[Job], known: Sequence[Job]
    ) -> None:
        """Refuse a request that one visitor, or one address, may not have.

        Args:
            count: the runs that it makes: two with its control.
            own: all runs of its owner.
            known: the runs that this server has seen.

        Raises:
            ValueError: it is too long or too large, or there are too many already.
        """
        limits = self._limits
        same_address = [job for job in known if limits.hosted and job.sender == sender]
        if len(same_address) + count > limits.by_address * limits.runs:
            text = N_("There are {n} runs from your network already, the most it may keep here: try again tomorrow.")
            raise ValueError(translate(text, n=len(same_address)))
        if owner and len(own) + count > limits.runs:
            text = N_("There are {n} runs of at most {most} that one may keep here: delete some under Your runs.")
            raise ValueError(translate(text, n=len(own), most=limits.runs))
        self.check_turn(owner, sender, known)
        if len(request.pairs) > limits.train_pairs:
            text = N_("{n} pairs are more than {most}, the most here: use fewer.")
            raise ValueError(translate(text, n=len(request.pairs), most=limits.train_pairs))
        training, _ = core.training.early_stopping.parted(request.pairs, request.config, request.languages)
        steps = core.training.config.total_steps(request.config, len(training))
        if steps > limits.train_steps:
            text = N_("{n} steps are more than {most}, the most here: use fewer epochs or larger batches.")
            raise ValueError(translate(text, n=steps, most=limits.train_steps))
        if limits.run_bytes is not None:
            size = core.training.run.run_bytes(self._models.get(request.model), request.config)
            if size > limits.run_bytes:
                text = N_(
                    "The run would take {size} MB, more than {most}, the most here: lower rank or fewer matrices."
                )
                raise ValueError(translate(text, size=size // 1_000_000, most=limits.run_bytes // 1_000_000))
            self._storage_quota.check(sender, count * size)

    def check_turn(self, owner: str, sender: str, known: Sequence[Job]) -> None:
        """Refuse a visitor or an address that has too many runs at work.

        Raises:
            ValueError: it has.
        """
        limits, at_work = self._limits, turns(known)
        if limits.hosted and sum(job.sender == sender for job in at_work) >= limits.by_address * limits.at_work:
            text = N_("{n} runs from your network are at work: wait for one to end, so that others get their turn.")
            raise ValueError(translate(text, n=limits.by_address * limits.at_work))
        if owner and sum(job.owner == owner for job in at_work) >= limits.at_work:
            raise ValueError(
                translate("Your last run is still at work: stop it or wait for it, so that others get their turn.")
            )
