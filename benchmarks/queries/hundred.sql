CREATE TABLE rides (id bigint, zone nvarchar(max), fare float, at datetime);
WITH
step0 AS (
    SELECT id, zone,
        fare * 1 AS fare,
        CASE WHEN fare > 0 THEN 'dear' ELSE 'cheap' END AS price
    FROM rides TIMESTAMP BY at
    WHERE fare > 0 AND zone LIKE 'z%'
),
step1 AS (
    SELECT id, zone,
        fare * 2 AS fare,
        CASE WHEN fare > 1 THEN 'dear' ELSE 'cheap' END AS price
    FROM step0
    WHERE fare > 1 AND zone LIKE 'z%'
),
step2 AS (
    SELECT id, zone,
        fare * 3 AS fare,
        CASE WHEN fare > 2 THEN 'dear' ELSE 'cheap' END AS price
    FROM step1
    WHERE fare > 2 AND zone LIKE 'z%'
),
step3 AS (
    SELECT id, zone,
        fare * 4 AS fare,
        CASE WHEN fare > 3 THEN 'dear' ELSE 'cheap' END AS price
    FROM step2
    WHERE fare > 3 AND zone LIKE 'z%'
),
step4 AS (
    SELECT id, zone,
        fare * 5 AS fare,
        CASE WHEN fare > 4 THEN 'dear' ELSE 'cheap' END AS price
    FROM step3
    WHERE fare > 4 AND zone LIKE 'z%'
),
step5 AS (
    SELECT id, zone,
        fare * 6 AS fare,
        CASE WHEN fare > 5 THEN 'dear' ELSE 'cheap' END AS price
    FROM step4
    WHERE fare > 5 AND zone LIKE 'z%'
),
step6 AS (
    SELECT id, zone,
        fare * 7 AS fare,
        CASE WHEN fare > 6 THEN 'dear' ELSE 'cheap' END AS price
    FROM step5
    WHERE fare > 6 AND zone LIKE 'z%'
),
step7 AS (
    SELECT id, zone,
        fare * 8 AS fare,
        CASE WHEN fare > 7 THEN 'dear' ELSE 'cheap' END AS price
    FROM step6
    WHERE fare > 7 AND zone LIKE 'z%'
),
step8 AS (
    SELECT id, zone,
        fare * 9 AS fare,
        CASE WHEN fare > 8 THEN 'dear' ELSE 'cheap' END AS price
    FROM step7
    WHERE fare > 8 AND zone LIKE 'z%'
),
step9 AS (
    SELECT id, zone,
        fare * 10 AS fare,
        CASE WHEN fare > 9 THEN 'dear' ELSE 'cheap' END AS price
    FROM step8
    WHERE fare > 9 AND zone LIKE 'z%'
),
step10 AS (
    SELECT id, zone,
        fare * 11 AS fare,
        CASE WHEN fare > 10 THEN 'dear' ELSE 'cheap' END AS price
    FROM step9
    WHERE fare > 10 AND zone LIKE 'z%'
),
step11 AS (
    SELECT id, zone,
        fare * 12 AS fare,
        CASE WHEN fare > 11 THEN 'dear' ELSE 'cheap' END AS price
    FROM step10
    WHERE fare > 11 AND zone LIKE 'z%'
),
step12 AS (
    SELECT id, zone,
        fare * 13 AS fare,
        CASE WHEN fare > 12 THEN 'dear' ELSE 'cheap' END AS price
    FROM step11
    WHERE fare > 12 AND zone LIKE 'z%'
),
step13 AS (
    SELECT id, zone,
        fare * 14 AS fare,
        CASE WHEN fare > 13 THEN 'dear' ELSE 'cheap' END AS price
    FROM step12
    WHERE fare > 13 AND zone LIKE 'z%'
)
SELECT zone, COUNT(*) AS n, AVG(fare) AS mean INTO counts
FROM step13 GROUP BY zone, TumblingWindow(minute, 5);
