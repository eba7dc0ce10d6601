"""The Merkle trees of the ledger: stored leaves, roots and signed heads."""
