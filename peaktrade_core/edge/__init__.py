"""Floor 5, the edge: command line, configuration, dashboard, notebooks - where people come in."""
