"""The database of offspot/metrics, the older system, for `import`."""
