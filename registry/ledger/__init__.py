"""The ledger: append-only, hash-chained record of every change; the truth about stages."""
