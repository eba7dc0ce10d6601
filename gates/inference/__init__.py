"""From sums to test results and decisions."""
