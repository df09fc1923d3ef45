"""Records and verdicts -> figures, tables and prose of the pages."""
