"""Promotion policies: the requirements of each gate, how they are read and described."""
