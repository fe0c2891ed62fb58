"""Retention: which versions stay, and by which rule. Facts and a time go in, verdicts come out; knows no repository."""
