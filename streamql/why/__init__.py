"""Why a row came out, and what became of an event: found by leaving events out and looking.

A job gives the same rows each time it runs, so what changes when one event is left out is what that
event did. That holds for every operator, whatever state it keeps, and needs no help from any.
"""
