"""Data, networks, training and run records of the reproduction; each room is one stage of it."""
