"""scikit-learn models as skops archives."""
