"""Use cases of the registry: a module each, over the adapters in ``backends``."""
