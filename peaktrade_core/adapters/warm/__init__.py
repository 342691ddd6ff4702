"""Kernels that start at once: forked from a process which has imported already what every notebook imports.

:mod:`nursery` is that process, :mod:`owner` starts it, asks it for kernels and ends it, and :mod:`provisioner` makes
Jupyter's kernel managers use it. Nothing here knows what the kernels are for.
"""
