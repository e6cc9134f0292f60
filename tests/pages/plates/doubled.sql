SELECT id, udf.doubled(fare) AS fare INTO o FROM rides
