"""StreamQL: the Azure Stream Analytics query language, anywhere Python runs."""
