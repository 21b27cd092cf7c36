"""Vendors: one pure wire module and one thin client each."""
