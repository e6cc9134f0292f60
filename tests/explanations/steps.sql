-- set out_of_order=5s
-- set late_arrival=1m
-- set policy=drop
WITH paid AS (
    SELECT id, zone, fare FROM rides TIMESTAMP BY at WHERE fare > 0
)
SELECT zone, COUNT(*) AS n, AVG(fare) AS mean INTO counts
FROM paid GROUP BY zone, HoppingWindow(minute, 10, 5) HAVING COUNT(*) > 1;
SELECT id, LAG(fare) OVER (PARTITION BY zone LIMIT DURATION(hour, 1)) AS before,
    SUM(fare) OVER (LIMIT DURATION(minute, 5)) AS spent INTO lags FROM paid;
SELECT id, udf.score(fare) AS s, udf.lottery(id) AS q INTO scores FROM paid WHERE zone LIKE 'a%'
