"""The read-only dashboard: Voila pages made from view notebooks, their panels and a small JSON API."""
