"""How MATCH_RECOGNIZE finds matches."""
