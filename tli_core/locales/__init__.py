"""The catalogues of all texts, one folder a language, and how they are kept: `python -m tli_core.locales`."""
