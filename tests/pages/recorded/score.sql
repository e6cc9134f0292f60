SELECT a, udf.score(row) AS s INTO o FROM input
