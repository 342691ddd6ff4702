"""Changes: what is configured and runs as it was approved, and how it becomes something else."""
