"""The command line: the tree of verbs, and what each prints."""
