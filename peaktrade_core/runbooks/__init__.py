"""The machine under runbook notebooks: parameters, steps, questions, evidence, execution, HTML."""
