"""Records that can be checked without the ledger: a Merkle tree, signatures, and proofs in files."""
