WITH trip AS (SELECT passengers, km FROM rides)
SELECT id, udf.score(trip) AS fare INTO fares FROM rides
