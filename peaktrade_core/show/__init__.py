"""How things are shown: words and figures, tables, charts, what commands print."""
