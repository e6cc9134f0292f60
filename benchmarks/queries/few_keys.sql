SELECT CONCAT(SUBSTRING(card, 1, 1), passenger) AS card, COUNT(*) AS n, SUM(fare) AS fare_sum
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY CONCAT(SUBSTRING(card, 1, 1), passenger), TumblingWindow(hour, 1)
