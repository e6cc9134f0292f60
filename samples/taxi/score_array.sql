SELECT udf.score(udf.createArray(vendorid, weekday, pickuphour, passenger, distance)) INTO output FROM input
