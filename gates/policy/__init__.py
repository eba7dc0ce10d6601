"""What a promotion policy requires of each gate, how it is read and described."""
