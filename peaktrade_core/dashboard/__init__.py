"""The read-only dashboard: Voila pages made from view notebooks, their panels and a small JSON API."""

import sys

# Jupyter's import of jsonschema would build a grammar of internationalised addresses, which takes two thirds of the
# server's start. Nothing here checks such addresses, and jsonschema does without the module.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
