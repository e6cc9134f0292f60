SELECT zone, COUNT(*) AS n, SUM(fare) AS fare_sum, AVG(tip) AS tip_avg,
       MAX(CAST(distance AS float)) AS dist_max, System.Timestamp() AS window_end
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY zone, TumblingWindow(minute, 1)
