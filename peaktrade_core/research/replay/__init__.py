"""A recorded session run once more by the session's own code, and held against its journal byte by byte."""
