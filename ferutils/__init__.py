"""Data, networks, training and run records of the reproduction; each module is one stage of it."""
