"""What is kept of a run: its folder, its journal, its record in the registry, and the index over them."""
