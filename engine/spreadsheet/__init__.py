"""Figures as files for a spreadsheet: CSV for programs, CSV for people, and .xlsx."""
