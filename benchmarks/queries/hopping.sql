SELECT zone, COUNT(*) AS n, AVG(fare) AS fare_avg, System.Timestamp() AS window_end
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY zone, HoppingWindow(minute, 5, 1)
