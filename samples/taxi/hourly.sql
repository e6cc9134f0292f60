-- Trips and their mean length for each hour, and how that compares with the hour before.
WITH hours AS (
    SELECT System.Timestamp() AS until, COUNT(*) AS trips, AVG(CAST(distance AS float)) AS miles
    FROM input TIMESTAMP BY pickup_time
    GROUP BY TumblingWindow(hour, 1)
)
SELECT until, trips, ROUND(miles, 2) AS miles, trips - LAG(trips) OVER (LIMIT DURATION(hour, 2)) AS more
INTO output
FROM hours
