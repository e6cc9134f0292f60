SELECT vendorid, zone, fare, tip, pickup_time, fare + tip AS total
INTO output
FROM rides
WHERE fare > 20 AND zone < 100
