"""Run a gate: load its context, collect data, infer, check, report, record."""
