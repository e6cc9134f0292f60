CREATE TABLE rides (id bigint, at datetime, stops array);
SELECT id, stop.ArrayValue AS stop INTO stops FROM rides CROSS APPLY GetArrayElements(stops) AS stop;
SELECT COUNT(*) AS n INTO busy FROM rides TIMESTAMP BY at GROUP BY SessionWindow(second, 5, 60);
SELECT COUNT(DISTINCT id) AS n INTO busy FROM rides TIMESTAMP BY at GROUP BY SlidingWindow(second, 9);
SELECT m.first INTO rising FROM rides TIMESTAMP BY at MATCH_RECOGNIZE (
    LIMIT DURATION(minute, 1) PARTITION BY id
    MEASURES A.id AS first AFTER MATCH SKIP TO NEXT ROW
    PATTERN (A B+) DEFINE B AS B.id > A.id
) AS m
