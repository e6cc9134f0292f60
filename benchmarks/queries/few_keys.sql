SELECT SUBSTRING(card, 1, 1) AS card, COUNT(*) AS n, SUM(fare) AS fare_sum, System.Timestamp() AS window_end
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY SUBSTRING(card, 1, 1), TumblingWindow(minute, 1)
