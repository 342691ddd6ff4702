"""Notebooks as files: their parameters, executing them, what a stopped cell says, HTML, a copy in JupyterLab."""
