"""What happens next: values in, values out; no clock and no I/O."""
