"""The schema, step by step: `0001_spine.sql`, `0002_...sql`.  A released step is never edited."""
