SELECT zone, fare,
    udf.score(udf.createArray(vendorid, weekday, pickuphour, passenger, distance)) AS score
INTO output
FROM rides
