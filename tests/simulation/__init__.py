"""The whole scheduler over a simulated machine: weeks in seconds, with crashes at any step."""
