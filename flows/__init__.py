"""DWH Helper: product analytics into your own warehouse, strict and exact."""
