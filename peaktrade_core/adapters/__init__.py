"""Floor 3, adapters: files, feeds, brokers, notebooks - everything that touches the world."""
