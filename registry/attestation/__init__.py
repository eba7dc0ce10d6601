"""Records that can be checked without the ledger: a Merkle tree, signatures, proofs in files."""
