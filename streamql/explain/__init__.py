"""What a query will do: the plan in words, as text, as a graph, and with what a run measured."""
