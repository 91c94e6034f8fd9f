"""Figures of any stretch of days: in all, by package, by time of day or calendar, and compared.

`Figures` reads them of the store; the other modules are about dates and need no database.
"""
