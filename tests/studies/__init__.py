"""Studies of several fine-tunes."""
