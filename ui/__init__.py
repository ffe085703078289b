"""The page: tabs, what they share, and the server behind it."""
