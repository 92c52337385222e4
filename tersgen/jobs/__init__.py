"""Building datasets: plan, make, seal."""
