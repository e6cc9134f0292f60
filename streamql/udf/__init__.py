"""Things that make function objects: JavaScript, Python, scoring."""
