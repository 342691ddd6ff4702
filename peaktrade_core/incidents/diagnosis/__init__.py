"""What happened in a session, told from its artefacts, one module for each kind of incident."""
