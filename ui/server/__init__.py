"""What stands behind the page: visitors, jobs, limits, and what a request may do."""
