"""The command line: one small file for each group of verbs, loaded when it is called."""
