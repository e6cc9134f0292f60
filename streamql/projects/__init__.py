"""Projects: a folder that says which query runs over which inputs with which functions."""
