"""Recorded requests, labels, held-out rows and predictions."""
