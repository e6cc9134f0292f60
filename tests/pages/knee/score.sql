SELECT udf.score(n) AS s INTO o FROM input
