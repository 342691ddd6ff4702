"""Kernels that start at once: forked from a process which has imported already what every notebook imports.

:mod:`nursery` is that process, :mod:`owner` starts it, asks it for kernels and ends it, :mod:`spare` keeps one kernel
ready ahead, and :mod:`provisioner` makes Jupyter's kernel managers use them. Nothing here knows what the kernels are for.
"""
