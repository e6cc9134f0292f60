SELECT id, udf.clean(plate) AS plate INTO o FROM rides
