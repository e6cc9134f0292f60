SELECT id, udf.fare(plate) AS fare INTO o FROM rides
