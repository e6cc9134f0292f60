WITH Dataframe AS (SELECT vendorid, weekday, pickuphour, passenger, distance FROM input)
SELECT udf.score(Dataframe) INTO output FROM input
