"""The usage report: one self-contained HTML file of a period, to be printed and filed."""
