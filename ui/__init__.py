"""The page: tabs, what they share, and the server behind it."""

import os

# Set before gradio is imported, which would otherwise call home at start.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
