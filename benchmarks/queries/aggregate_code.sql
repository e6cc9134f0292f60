SELECT zone, uda.mean(fare) AS fare_avg, System.Timestamp() AS window_end
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY zone, TumblingWindow(minute, 1)
