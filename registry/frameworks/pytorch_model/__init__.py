"""PyTorch models as exported programs."""
