"""What the registry does: each module one kind of operation, over the adapters in ``Stores``."""
