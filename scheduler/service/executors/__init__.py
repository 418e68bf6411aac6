"""What runs attempts: one contract, and the executors behind it."""
