SELECT card, fare, LAG(fare) OVER (PARTITION BY SUBSTRING(card, 1, 4) LIMIT DURATION(hour, 1)) AS before
INTO output
FROM rides TIMESTAMP BY pickup_time
