"""Building datasets: plan, make, commit."""
