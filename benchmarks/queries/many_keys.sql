SELECT CONCAT(card, vendorid) AS card, COUNT(*) AS n, SUM(fare) AS fare_sum
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY CONCAT(card, vendorid), TumblingWindow(hour, 1)
