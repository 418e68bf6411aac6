"""Where decisions are kept: one contract, and the databases behind it."""
