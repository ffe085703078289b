"""The app's tabs, one file each, and what they share."""
