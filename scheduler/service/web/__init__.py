"""The HTTP control interface."""
