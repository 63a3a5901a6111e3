"""Plots of data that the question gives: values, labels and titles must be copied from it."""
