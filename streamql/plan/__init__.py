"""The logical plan: what is computed, not how."""
