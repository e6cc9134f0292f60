SELECT SUBSTRING(card, 1, 4) AS card, COUNT(*) AS n, SUM(fare) AS fare_sum
INTO output
FROM rides TIMESTAMP BY pickup_time
GROUP BY SUBSTRING(card, 1, 4), SlidingWindow(second, 60)
