"""Records that outsiders can check without the ledger: a Merkle tree, signatures, and proofs in files."""
