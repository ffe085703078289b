"""How events are queued: three ways, so that everybody's work at a model takes its turn and nothing else waits."""

MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 1}
"""Work at the model: one at a time over the whole page, as the active adapter is state of the one model."""

QUIET = {"queue": False, "api_visibility": "private"}
"""At once, for what cannot fail: an error outside the queue reaches the visitor as a failed request."""

CHECKED = {"concurrency_limit": None, "api_visibility": "private"}
"""At once, for what may refuse its input with a sentence."""
