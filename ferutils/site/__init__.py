"""Executed pages -> what is built, printed and taken away."""
