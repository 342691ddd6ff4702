"""The exporter of nbconvert whose template speaks the language that people read here."""

from __future__ import annotations

import jinja2
from nbconvert import HTMLExporter

from peaktrade_core.show.language import language, spoken
from peaktrade_core.show.templates import OwnWords


class SpokenExporter(HTMLExporter):  # type: ignore[misc]
    """Turns what stands in its template itself, when that is compiled."""

    def _create_environment(self) -> jinja2.Environment:
        environment: jinja2.Environment = super()._create_environment()
        environment.filters["spoken"] = spoken
        if language() != "en":
            environment.add_extension(OwnWords)
        return environment
