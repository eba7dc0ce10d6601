"""The commands of ``model-lifecycle``, one module per panel."""
