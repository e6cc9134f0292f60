SELECT r.zone, UPPER(z.borough) AS borough, CONCAT(z.name, '/', r.weekday) AS label,
       REPLACE(r.card, '-', '') AS card,
       CASE WHEN r.fare < 10 THEN 'low' WHEN r.fare < 30 THEN 'mid' ELSE 'high' END AS band,
       r.fare + z.surcharge AS total
INTO output
FROM rides r TIMESTAMP BY pickup_time
JOIN zones z ON r.zone = z.zone
